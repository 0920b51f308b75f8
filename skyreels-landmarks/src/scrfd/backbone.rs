//! ResNet-V1e: three small convolutions first, averages before shortcuts.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

/// Added to the variances of the norms.
pub(super) const EPSILON: f64 = 1e-5;

/// A convolution padded by half its kernel.
pub(super) fn convolution(channels: [usize; 2], kernel: usize, stride: usize, bias: bool, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(bias)
        .init(device)
}

/// The shortcut of a block that halves the picture or changes its channels; an average is number 0.
#[derive(Module, Debug)]
struct Downsample {
    shortcut_conv: Conv2d,
    shortcut_norm: BatchNorm,
    #[module(skip)]
    stride: usize,
}

impl Downsample {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let stride = self.stride;
        // Cells that reach over the border are averaged over what is there.
        let x = avg_pool2d(x, AvgPoolOptions::new([stride; 2]).with_count_include_pad(false).with_ceil_mode(true));
        self.shortcut_norm.forward(self.shortcut_conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<Downsample>,
}

impl BasicBlock {
    fn new([from, to]: [usize; 2], stride: usize, device: &Device) -> Self {
        let downsample = (stride != 1 || from != to).then(|| Downsample {
            shortcut_conv: convolution([from, to], 1, 1, false, device),
            shortcut_norm: BatchNorm::new(to, EPSILON, device),
            stride,
        });
        Self {
            conv1: convolution([from, to], 3, stride, false, device),
            bn1: BatchNorm::new(to, EPSILON, device),
            conv2: convolution([to, to], 3, 1, false, device),
            bn2: BatchNorm::new(to, EPSILON, device),
            downsample,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let out = relu(self.bn1.forward(self.conv1.forward(x.clone())));
        let out = self.bn2.forward(self.conv2.forward(out));
        relu(out + self.downsample.as_ref().map_or(x.clone(), |downsample| downsample.forward(x)))
    }
}

/// Convolutions and norms, numbered as in the checkpoint (activations are 2, 5 and 8).
#[derive(Module, Debug)]
struct Stem {
    conv0: Conv2d,
    norm1: BatchNorm,
    conv3: Conv2d,
    norm4: BatchNorm,
    conv6: Conv2d,
    norm7: BatchNorm,
}

/// The backbone; its four stages are at 1/4, 1/8, 1/16 and 1/32 of the picture.
#[derive(Module, Debug)]
pub(super) struct Backbone {
    stem: Stem,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    layer4: Vec<BasicBlock>,
}

impl Backbone {
    /// `stem` channels before the stages, of which each has some blocks and channels.
    pub(super) fn new(stem: usize, stages: [(usize, usize); 4], device: &Device) -> Self {
        let norm = |channels| BatchNorm::new(channels, EPSILON, device);
        let mut from = stem;
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            let (blocks, to) = stages[stage];
            let block = |index: usize| {
                let stride = if index == 0 && stage > 0 { 2 } else { 1 };
                BasicBlock::new([std::mem::replace(&mut from, to), to], stride, device)
            };
            (0..blocks).map(block).collect()
        });
        let stem = Stem {
            conv0: convolution([3, stem / 2], 3, 2, false, device),
            norm1: norm(stem / 2),
            conv3: convolution([stem / 2, stem / 2], 3, 1, false, device),
            norm4: norm(stem / 2),
            conv6: convolution([stem / 2, stem], 3, 1, false, device),
            norm7: norm(stem),
        };
        Self { stem, layer1, layer2, layer3, layer4 }
    }

    /// Features at 1/8, 1/16 and 1/32 of the picture.
    pub(super) fn forward(&self, x: Tensor<4>) -> [Tensor<4>; 3] {
        let run = |stage: &[BasicBlock], x| stage.iter().fold(x, |x, block| block.forward(x));
        let stem = &self.stem;
        let x = relu(stem.norm1.forward(stem.conv0.forward(x)));
        let x = relu(stem.norm4.forward(stem.conv3.forward(x)));
        let x = relu(stem.norm7.forward(stem.conv6.forward(x)));
        let x = run(&self.layer1, max_pool2d(x, MaxPoolOptions::new([2, 2])));
        let eighth = run(&self.layer2, x);
        let sixteenth = run(&self.layer3, eighth.clone());
        let last = run(&self.layer4, sixteenth.clone());
        [eighth, sixteenth, last]
    }
}
