//! Convolution with norm, and the pools in which the variants differ.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

/// Added to the variances of the norms.
const EPSILON: f64 = 1e-3;

/// `BasicConv2d` of torchvision: convolution without a bias, norm, ReLU.
#[derive(Module, Debug)]
pub(super) struct Conv {
    conv: Conv2d,
    bn: BatchNorm,
}

impl Conv {
    /// A kernel of height x width with its padding on each side.
    pub(super) fn new(
        channels: [usize; 2],
        kernel: [usize; 2],
        [down, across]: [usize; 2],
        stride: usize,
        device: &Device,
    ) -> Self {
        let conv = Conv2dConfig::new(channels, kernel)
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(down, across, down, across))
            .with_bias(false)
            .init(device);
        Self { conv, bn: BatchNorm::new(channels[1], EPSILON, device) }
    }

    /// Every place by itself.
    pub(super) fn one(from: usize, to: usize, device: &Device) -> Self {
        Self::new([from, to], [1, 1], [0, 0], 1, device)
    }

    /// A kernel that keeps the size of its input.
    pub(super) fn same(from: usize, to: usize, kernel: [usize; 2], device: &Device) -> Self {
        Self::new([from, to], kernel, kernel.map(|side| side / 2), 1, device)
    }

    /// A 3x3 kernel without padding.
    pub(super) fn inner(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        Self::new([from, to], [3, 3], [0, 0], stride, device)
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.bn.forward(self.conv.forward(x)))
    }
}

/// What stands before the last branch of a mixed block, over windows of 3x3 at every place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    /// The mean over nine places, the padding's zeros among them: torchvision.
    Padded,
    /// The mean over the places that are there: TensorFlow's network of 2015, and with it FID.
    Inside,
    /// The maximum: FID's network in its last block, by a slip of TensorFlow's export.
    Maximum,
}

impl Pool {
    pub(super) fn forward(self, x: Tensor<4>) -> Tensor<4> {
        let average = |inside_only: bool| {
            let options = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
            options.with_count_include_pad(!inside_only)
        };
        match self {
            Self::Padded => avg_pool2d(x, average(false)),
            Self::Inside => avg_pool2d(x, average(true)),
            Self::Maximum => max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1])),
        }
    }
}

/// The maximum over windows of 3x3 at every other place, without padding.
pub(super) fn halved(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]))
}
