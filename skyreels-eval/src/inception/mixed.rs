//! The mixed blocks: branches with windows of several sizes, side by side.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::blocks::{Conv, Pool, halved};

/// `InceptionA`: windows of 1, 5 and twice 3.
#[derive(Module, Debug)]
pub(super) struct MixedA {
    branch1x1: Conv,
    branch5x5_1: Conv,
    branch5x5_2: Conv,
    branch3x3dbl_1: Conv,
    branch3x3dbl_2: Conv,
    branch3x3dbl_3: Conv,
    branch_pool: Conv,
}

impl MixedA {
    pub(super) fn new(from: usize, pooled: usize, device: &Device) -> Self {
        Self {
            branch1x1: Conv::one(from, 64, device),
            branch5x5_1: Conv::one(from, 48, device),
            branch5x5_2: Conv::same(48, 64, [5, 5], device),
            branch3x3dbl_1: Conv::one(from, 64, device),
            branch3x3dbl_2: Conv::same(64, 96, [3, 3], device),
            branch3x3dbl_3: Conv::same(96, 96, [3, 3], device),
            branch_pool: Conv::one(from, pooled, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, pool: Pool) -> Tensor<4> {
        let one = self.branch1x1.forward(x.clone());
        let five = self.branch5x5_2.forward(self.branch5x5_1.forward(x.clone()));
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        let double = self.branch3x3dbl_3.forward(double);
        Tensor::cat(vec![one, five, double, self.branch_pool.forward(pool.forward(x))], 1)
    }
}

/// `InceptionB`: halves the picture.
#[derive(Module, Debug)]
pub(super) struct MixedB {
    branch3x3: Conv,
    branch3x3dbl_1: Conv,
    branch3x3dbl_2: Conv,
    branch3x3dbl_3: Conv,
}

impl MixedB {
    pub(super) fn new(from: usize, device: &Device) -> Self {
        Self {
            branch3x3: Conv::inner(from, 384, 2, device),
            branch3x3dbl_1: Conv::one(from, 64, device),
            branch3x3dbl_2: Conv::same(64, 96, [3, 3], device),
            branch3x3dbl_3: Conv::inner(96, 96, 2, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        let double = self.branch3x3dbl_3.forward(double);
        Tensor::cat(vec![self.branch3x3.forward(x.clone()), double, halved(x)], 1)
    }
}

/// `InceptionC`: windows of 7, a row and a column at a time.
#[derive(Module, Debug)]
pub(super) struct MixedC {
    branch1x1: Conv,
    branch7x7_1: Conv,
    branch7x7_2: Conv,
    branch7x7_3: Conv,
    branch7x7dbl_1: Conv,
    branch7x7dbl_2: Conv,
    branch7x7dbl_3: Conv,
    branch7x7dbl_4: Conv,
    branch7x7dbl_5: Conv,
    branch_pool: Conv,
}

impl MixedC {
    pub(super) fn new(from: usize, inside: usize, device: &Device) -> Self {
        const TO: usize = 192;
        let row = |from, to| Conv::same(from, to, [1, 7], device);
        let column = |from, to| Conv::same(from, to, [7, 1], device);
        Self {
            branch1x1: Conv::one(from, TO, device),
            branch7x7_1: Conv::one(from, inside, device),
            branch7x7_2: row(inside, inside),
            branch7x7_3: column(inside, TO),
            branch7x7dbl_1: Conv::one(from, inside, device),
            branch7x7dbl_2: column(inside, inside),
            branch7x7dbl_3: row(inside, inside),
            branch7x7dbl_4: column(inside, inside),
            branch7x7dbl_5: row(inside, TO),
            branch_pool: Conv::one(from, TO, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, pool: Pool) -> Tensor<4> {
        let through = |x: Tensor<4>, convs: &[&Conv]| convs.iter().fold(x, |x, conv| conv.forward(x));
        let seven = through(x.clone(), &[&self.branch7x7_1, &self.branch7x7_2, &self.branch7x7_3]);
        let double = through(
            x.clone(),
            &[
                &self.branch7x7dbl_1,
                &self.branch7x7dbl_2,
                &self.branch7x7dbl_3,
                &self.branch7x7dbl_4,
                &self.branch7x7dbl_5,
            ],
        );
        let one = self.branch1x1.forward(x.clone());
        Tensor::cat(vec![one, seven, double, self.branch_pool.forward(pool.forward(x))], 1)
    }
}

/// `InceptionD`: halves the picture again.
#[derive(Module, Debug)]
pub(super) struct MixedD {
    branch3x3_1: Conv,
    branch3x3_2: Conv,
    branch7x7x3_1: Conv,
    branch7x7x3_2: Conv,
    branch7x7x3_3: Conv,
    branch7x7x3_4: Conv,
}

impl MixedD {
    pub(super) fn new(from: usize, device: &Device) -> Self {
        const INSIDE: usize = 192;
        Self {
            branch3x3_1: Conv::one(from, INSIDE, device),
            branch3x3_2: Conv::inner(INSIDE, 320, 2, device),
            branch7x7x3_1: Conv::one(from, INSIDE, device),
            branch7x7x3_2: Conv::same(INSIDE, INSIDE, [1, 7], device),
            branch7x7x3_3: Conv::same(INSIDE, INSIDE, [7, 1], device),
            branch7x7x3_4: Conv::inner(INSIDE, INSIDE, 2, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let three = self.branch3x3_2.forward(self.branch3x3_1.forward(x.clone()));
        let seven = self.branch7x7x3_2.forward(self.branch7x7x3_1.forward(x.clone()));
        let seven = self.branch7x7x3_4.forward(self.branch7x7x3_3.forward(seven));
        Tensor::cat(vec![three, seven, halved(x)], 1)
    }
}

/// `InceptionE`: rows and columns side by side.
#[derive(Module, Debug)]
pub(super) struct MixedE {
    branch1x1: Conv,
    branch3x3_1: Conv,
    branch3x3_2a: Conv,
    branch3x3_2b: Conv,
    branch3x3dbl_1: Conv,
    branch3x3dbl_2: Conv,
    branch3x3dbl_3a: Conv,
    branch3x3dbl_3b: Conv,
    branch_pool: Conv,
}

impl MixedE {
    pub(super) fn new(from: usize, device: &Device) -> Self {
        const SIDE: usize = 384;
        let row = || Conv::same(SIDE, SIDE, [1, 3], device);
        let column = || Conv::same(SIDE, SIDE, [3, 1], device);
        Self {
            branch1x1: Conv::one(from, 320, device),
            branch3x3_1: Conv::one(from, SIDE, device),
            branch3x3_2a: row(),
            branch3x3_2b: column(),
            branch3x3dbl_1: Conv::one(from, 448, device),
            branch3x3dbl_2: Conv::same(448, SIDE, [3, 3], device),
            branch3x3dbl_3a: row(),
            branch3x3dbl_3b: column(),
            branch_pool: Conv::one(from, 192, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>, pool: Pool) -> Tensor<4> {
        let three = self.branch3x3_1.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(self.branch3x3dbl_1.forward(x.clone()));
        Tensor::cat(
            vec![
                self.branch1x1.forward(x.clone()),
                self.branch3x3_2a.forward(three.clone()),
                self.branch3x3_2b.forward(three),
                self.branch3x3dbl_3a.forward(double.clone()),
                self.branch3x3dbl_3b.forward(double),
                self.branch_pool.forward(pool.forward(x)),
            ],
            1,
        )
    }
}
