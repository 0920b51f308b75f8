//! Minimal filtering along one axis: four outputs of a kernel of three from six products, and the ways back from outputs and to
//! kernels, which gradients take.
//!
//! Input and kernel are taken for polynomials, which are multiplied by their values at the points 0, ±1/√2, ±√2 and infinity
//! (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, arXiv 1509.09308, for convolutions of pictures). The
//! points are each other's reciprocals, which keeps the rounding of f32 small.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use pulp::Simd;

/// Outputs of a tile.
pub(super) const OUT: usize = 4;
/// Inputs of a tile, and products.
pub(super) const POINTS: usize = 6;

/// Values at the points of the kernels that lie side by side.
#[inline(always)]
pub(super) fn of_kernels<const KERNELS: usize>([a, b, c]: [[f32; KERNELS]; 3]) -> [[f32; KERNELS]; POINTS] {
    let mut values = [[0.0; KERNELS]; POINTS];
    for (index, ((a, b), c)) in a.into_iter().zip(b).zip(c).enumerate() {
        let (near, near_apart) = ((a + 0.5 * c) * (-1.0 / 1.5), b * (-FRAC_1_SQRT_2 / 1.5));
        let (far, far_apart) = ((a + 2.0 * c) * (1.0 / 6.0), b * (SQRT_2 / 6.0));
        values[0][index] = a;
        values[1][index] = near + near_apart;
        values[2][index] = near - near_apart;
        values[3][index] = far + far_apart;
        values[4][index] = far - far_apart;
        values[5][index] = c;
    }
    values
}

/// What the input's values are multiplied with at the points.
#[inline(always)]
pub(super) fn of_input<S: Simd>(simd: S, x: [S::f32s; POINTS]) -> [S::f32s; POINTS] {
    let scaled = |x, factor: f32, plus| simd.mul_add_e_f32s(x, simd.splat_f32s(factor), plus);
    let times = |x, factor: f32| simd.mul_f32s(x, simd.splat_f32s(factor));
    let near = (scaled(x[2], -2.0, x[4]), scaled(x[3], FRAC_1_SQRT_2, times(x[1], -SQRT_2)));
    let far = (scaled(x[2], -0.5, x[4]), scaled(x[3], SQRT_2, times(x[1], -FRAC_1_SQRT_2)));
    [
        scaled(x[2], -2.5, simd.add_f32s(x[0], x[4])),
        simd.add_f32s(near.0, near.1),
        simd.sub_f32s(near.0, near.1),
        simd.add_f32s(far.0, far.1),
        simd.sub_f32s(far.0, far.1),
        scaled(x[3], -2.5, simd.add_f32s(x[1], x[5])),
    ]
}

/// The outputs from the products.
#[inline(always)]
pub(super) fn of_products<S: Simd>(simd: S, m: [S::f32s; POINTS]) -> [S::f32s; OUT] {
    let scaled = |x, factor: f32, plus| simd.mul_add_e_f32s(x, simd.splat_f32s(factor), plus);
    let times = |x, factor: f32| simd.mul_f32s(x, simd.splat_f32s(factor));
    let (near, near_apart) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far, far_apart) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(m[0], simd.add_f32s(near, far)),
        scaled(near_apart, FRAC_1_SQRT_2, times(far_apart, SQRT_2)),
        scaled(near, 0.5, times(far, 2.0)),
        scaled(near_apart, 0.5 * FRAC_1_SQRT_2, scaled(far_apart, 2.0 * SQRT_2, m[5])),
    ]
}

/// The way back of [`of_products`]: what the outputs have from the products.
#[inline(always)]
pub(super) fn of_outputs<S: Simd>(simd: S, y: [S::f32s; OUT]) -> [S::f32s; POINTS] {
    let scaled = |x, factor: f32, plus| simd.mul_add_e_f32s(x, simd.splat_f32s(factor), plus);
    let times = |x, factor: f32| simd.mul_f32s(x, simd.splat_f32s(factor));
    let near = (scaled(y[2], 0.5, y[0]), times(scaled(y[3], 0.5, y[1]), FRAC_1_SQRT_2));
    let far = (scaled(y[2], 2.0, y[0]), times(scaled(y[3], 2.0, y[1]), SQRT_2));
    [
        y[0],
        simd.add_f32s(near.0, near.1),
        simd.sub_f32s(near.0, near.1),
        simd.add_f32s(far.0, far.1),
        simd.sub_f32s(far.0, far.1),
        y[3],
    ]
}

/// The way back of [`of_kernels`], of one kernel.
pub(super) fn to_kernel(values: [f32; POINTS]) -> [f32; 3] {
    let [first, near, near_below, far, far_below, last] = values;
    let (near, near_apart) = ((near + near_below) * (-1.0 / 1.5), (near - near_below) * (-FRAC_1_SQRT_2 / 1.5));
    let (far, far_apart) = ((far + far_below) * (1.0 / 6.0), (far - far_below) * (SQRT_2 / 6.0));
    [first + near + far, near_apart + far_apart, 0.5 * near + 2.0 * far + last]
}
