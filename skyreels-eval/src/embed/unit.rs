//! The residual unit of the improved ResNets that ArcFace introduced, which CurricularFace shares.

use burn::module::{Initializer, Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

/// Added to the variances of the norms.
pub(super) const EPSILON: f64 = 1e-5;
/// PyTorch's slope of negative values before training.
const SLOPE: f64 = 0.25;

/// Convolution without a bias, padded by half its kernel.
fn convolution(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(false)
        .init(device)
}

/// `max(x, 0) + weight min(x, 0)`, one weight for each channel.
#[derive(Module, Debug)]
pub(super) struct PRelu {
    weight: Param<Tensor<1>>,
}

impl PRelu {
    fn new(channels: usize, device: &Device) -> Self {
        Self { weight: Initializer::Constant { value: SLOPE }.init([channels], device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let slope = self.weight.val();
        let channels = slope.dims()[0];
        x.clone().clamp_min(0.0) + x.clamp_max(0.0) * slope.reshape([1, channels, 1, 1])
    }
}

/// Convolution, norm and activation at the picture's own size.
#[derive(Module, Debug)]
pub(super) struct Stem {
    conv1: Conv2d,
    bn1: BatchNorm,
    prelu: PRelu,
}

impl Stem {
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv1: convolution([3, channels], 3, 1, device),
            bn1: BatchNorm::new(channels, EPSILON, device),
            prelu: PRelu::new(channels, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.prelu.forward(self.bn1.forward(self.conv1.forward(x)))
    }
}

/// A convolution and its norm, numbered 0 and 1 in the checkpoints.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

/// What carries the input around a unit whose sizes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortcut {
    /// A convolution wherever a unit halves its input: insightface's iresnet.
    Convolution,
    /// A convolution only where the channels change, else every other pixel: CurricularFace's IR.
    Sampling,
}

/// Norm, convolution, norm, PReLU, convolution with the stride, norm; plus the shortcut.
#[derive(Module, Debug)]
pub(super) struct Unit {
    bn1: BatchNorm,
    conv1: Conv2d,
    bn2: BatchNorm,
    prelu: PRelu,
    conv2: Conv2d,
    bn3: BatchNorm,
    downsample: Option<ConvNorm>,
    #[module(skip)]
    stride: usize,
}

impl Unit {
    pub(super) fn new([from, to]: [usize; 2], stride: usize, shortcut: Shortcut, device: &Device) -> Self {
        let convolved = from != to || (stride != 1 && shortcut == Shortcut::Convolution);
        Self {
            bn1: BatchNorm::new(from, EPSILON, device),
            conv1: convolution([from, to], 3, 1, device),
            bn2: BatchNorm::new(to, EPSILON, device),
            prelu: PRelu::new(to, device),
            conv2: convolution([to, to], 3, stride, device),
            bn3: BatchNorm::new(to, EPSILON, device),
            downsample: convolved.then(|| ConvNorm {
                conv: convolution([from, to], 1, stride, device),
                norm: BatchNorm::new(to, EPSILON, device),
            }),
            stride,
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let out = self.prelu.forward(self.bn2.forward(self.conv1.forward(self.bn1.forward(x.clone()))));
        let out = self.bn3.forward(self.conv2.forward(out));
        let around = match &self.downsample {
            Some(downsample) => downsample.norm.forward(downsample.conv.forward(x)),
            None => every(x, self.stride),
        };
        out + around
    }
}

/// Every `step`th row and column: a maximum over a window of one pixel.
fn every(x: Tensor<4>, step: usize) -> Tensor<4> {
    if step == 1 { x } else { x.slice(burn::tensor::s![.., .., ..;step, ..;step]) }
}
