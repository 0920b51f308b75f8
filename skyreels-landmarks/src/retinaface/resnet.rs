//! ResNet-50 as a feature extractor, with the names of torchvision.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

/// Added to the variances of the norms.
pub(super) const EPSILON: f64 = 1e-5;
/// Channels of the first convolution.
const STEM: usize = 64;
/// The last convolution of a block has this many times the channels of the others.
const EXPANSION: usize = 4;
/// Blocks of each stage, and channels inside of them.
const STAGES: [(usize, usize); 4] = [(3, 64), (4, 128), (6, 256), (3, 512)];

/// Convolution without a bias, padded by half its kernel.
pub(super) fn convolution(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(false)
        .init(device)
}

/// A convolution and its norm, numbered 0 and 1 in the checkpoint.
#[derive(Module, Debug)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    pub(super) fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self { conv: convolution(channels, kernel, stride, device), norm: BatchNorm::new(channels[1], EPSILON, device) }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct Bottleneck {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Conv2d,
    bn3: BatchNorm,
    downsample: Option<ConvNorm>,
}

impl Bottleneck {
    fn new([from, inside]: [usize; 2], stride: usize, device: &Device) -> Self {
        let to = inside * EXPANSION;
        Self {
            conv1: convolution([from, inside], 1, 1, device),
            bn1: BatchNorm::new(inside, EPSILON, device),
            conv2: convolution([inside, inside], 3, stride, device),
            bn2: BatchNorm::new(inside, EPSILON, device),
            conv3: convolution([inside, to], 1, 1, device),
            bn3: BatchNorm::new(to, EPSILON, device),
            downsample: (from != to || stride != 1).then(|| ConvNorm::new([from, to], 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let out = relu(self.bn1.forward(self.conv1.forward(x.clone())));
        let out = relu(self.bn2.forward(self.conv2.forward(out)));
        let out = self.bn3.forward(self.conv3.forward(out));
        relu(out + self.downsample.as_ref().map_or(x.clone(), |downsample| downsample.forward(x)))
    }
}

/// The network without its classifier.
#[derive(Module, Debug)]
pub(super) struct ResNet50 {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Bottleneck>,
    layer2: Vec<Bottleneck>,
    layer3: Vec<Bottleneck>,
    layer4: Vec<Bottleneck>,
}

impl ResNet50 {
    /// Channels of the three levels.
    pub(super) const WIDTHS: [usize; 3] = [STAGES[1].1 * EXPANSION, STAGES[2].1 * EXPANSION, STAGES[3].1 * EXPANSION];

    pub(super) fn new(device: &Device) -> Self {
        let mut from = STEM;
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            let (blocks, inside) = STAGES[stage];
            let block = |index: usize| {
                let stride = if index == 0 && stage > 0 { 2 } else { 1 };
                let block = Bottleneck::new([from, inside], stride, device);
                from = inside * EXPANSION;
                block
            };
            (0..blocks).map(block).collect()
        });
        let (conv1, bn1) = (convolution([3, STEM], 7, 2, device), BatchNorm::new(STEM, EPSILON, device));
        Self { conv1, bn1, layer1, layer2, layer3, layer4 }
    }

    /// Features at 1/8, 1/16 and 1/32 of the picture.
    pub(super) fn forward(&self, x: Tensor<4>) -> [Tensor<4>; 3] {
        let run = |stage: &[Bottleneck], x| stage.iter().fold(x, |x, block| block.forward(x));
        let x = relu(self.bn1.forward(self.conv1.forward(x)));
        let x = run(&self.layer1, max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1])));
        let eighth = run(&self.layer2, x);
        let sixteenth = run(&self.layer3, eighth.clone());
        let last = run(&self.layer4, sixteenth.clone());
        [eighth, sixteenth, last]
    }
}
