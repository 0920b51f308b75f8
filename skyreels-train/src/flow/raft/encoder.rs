//! The convolutional encoders: `BasicEncoder` and `SmallEncoder` of `core/extractor.py`.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn::BatchNorm;

use super::network::Size;

/// Added to the variances of both kinds of norms.
const EPSILON: f64 = 1e-5;
/// Kernel of the first convolution, which halves the picture.
const STEM_KERNEL: usize = 7;
/// Inside a bottleneck there are this many times fewer channels.
const SQUEEZE: usize = 4;

/// How activations are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Norm {
    /// By the statistics of each channel of each picture, without parameters.
    Instance,
    /// By statistics of the training data.
    Batch,
    /// Not at all.
    None,
}

/// A convolution padded by half its kernel.
pub(super) fn convolution(channels: [usize; 2], kernel: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    let [rows, columns] = kernel.map(|side| side / 2);
    Conv2dConfig::new(channels, kernel)
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(rows, columns, rows, columns))
        .init(device)
}

/// A convolution and what normalises it.
#[derive(Module, Debug)]
pub(super) struct ConvNorm {
    conv: Conv2d,
    norm: Option<BatchNorm>,
    #[module(skip)]
    kind: Norm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, kind: Norm, device: &Device) -> Self {
        Self {
            conv: convolution(channels, [kernel, kernel], stride, device),
            norm: (kind == Norm::Batch).then(|| BatchNorm::new(channels[1], EPSILON, device)),
            kind,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(x);
        match (&self.norm, self.kind) {
            (Some(norm), _) => norm.forward(x),
            (None, Norm::Instance) => instance_norm(x),
            (None, _) => x,
        }
    }
}

/// `(x - mean) / sqrt(variance + epsilon)` of each channel of each picture, in f32.
fn instance_norm(x: Tensor<4>) -> Tensor<4> {
    let dtype = x.dtype();
    let [batch, channels, height, width] = x.dims();
    let rows: Tensor<3> = x.cast(DType::F32).reshape([batch, channels, height * width]);
    let centred = rows.clone() - rows.mean_dim(2);
    let variance = centred.clone().powi_scalar(2).mean_dim(2);
    (centred / variance.add_scalar(EPSILON).sqrt()).reshape([batch, channels, height, width]).cast(dtype)
}

/// Two or three convolutions and a way around them.
#[derive(Module, Debug)]
struct Block {
    step1: ConvNorm,
    step2: ConvNorm,
    step3: Option<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(size: Size, [from, to]: [usize; 2], stride: usize, norm: Norm, device: &Device) -> Self {
        let step = |channels, kernel, stride| ConvNorm::new(channels, kernel, stride, norm, device);
        let (step1, step2, step3) = match size {
            Size::Large => (step([from, to], 3, stride), step([to, to], 3, 1), None),
            Size::Small => {
                let inside = to / SQUEEZE;
                let last = step([inside, to], 1, 1);
                (step([from, inside], 1, 1), step([inside, inside], 3, stride), Some(last))
            }
        };
        Self { step1, step2, step3, downsample: (stride != 1).then(|| step([from, to], 1, stride)) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let steps = [Some(&self.step1), Some(&self.step2), self.step3.as_ref()];
        let out = steps.into_iter().flatten().fold(x.clone(), |out, step| relu(step.forward(out)));
        relu(out + self.downsample.as_ref().map_or(x.clone(), |downsample| downsample.forward(x)))
    }
}

/// From a picture to features at an eighth of its size.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    stem: ConvNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    head: Conv2d,
}

impl Encoder {
    pub(super) fn new(size: Size, channels: usize, norm: Norm, device: &Device) -> Self {
        let widths = size.encoder_widths();
        let layer = |from, to, stride| {
            vec![Block::new(size, [from, to], stride, norm, device), Block::new(size, [to, to], 1, norm, device)]
        };
        Self {
            stem: ConvNorm::new([3, widths[0]], STEM_KERNEL, 2, norm, device),
            layer1: layer(widths[0], widths[0], 1),
            layer2: layer(widths[0], widths[1], 2),
            layer3: layer(widths[1], widths[2], 2),
            head: convolution([widths[2], channels], [1, 1], 1, device),
        }
    }

    /// # Shapes
    /// `[batch, 3, height, width] -> [batch, channels, height / 8, width / 8]`
    pub(super) fn forward(&self, pictures: Tensor<4>) -> Tensor<4> {
        let x = relu(self.stem.forward(pictures));
        let blocks = [&self.layer1, &self.layer2, &self.layer3].into_iter().flatten();
        self.head.forward(blocks.fold(x, |x, block| block.forward(x)))
    }
}
