//! MobileNet-V3 "minimal": no squeeze-and-excitation, no hard swish, 3x3 kernels alone.
//!
//! Howard et al., "Searching for MobileNetV3" (ICCV 2019), in the variants `tf_mobilenetv3_{small,large}_minimal_100` of
//! timm 0.6.13, whose names and padding ("same" as in TensorFlow: more at the bottom and right where the stride is 2) the
//! checkpoint has.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

/// Channels of the first convolution, and of the first stage.
const STEM: usize = 16;
/// Kernel of the stem and of every depthwise convolution.
const KERNEL: usize = 3;
/// Widths are multiples of this.
const DIVISOR: f64 = 8.0;

/// Which of the two published backbones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// `tf_mobilenetv3_small_minimal_100`: six stages, 576 channels at the end.
    Small,
    /// `tf_mobilenetv3_large_minimal_100`: seven stages, 960 channels at the end.
    Large,
}

/// A stage of inverted residuals: stride of its first block, channels, and the expansion of each block.
type Stage = (usize, usize, &'static [f64]);

const SMALL: &[Stage] =
    &[(2, 24, &[4.5, 3.67]), (2, 40, &[4.0, 6.0, 6.0]), (1, 48, &[3.0, 3.0]), (2, 96, &[6.0, 6.0, 6.0])];
const LARGE: &[Stage] = &[
    (2, 24, &[4.0, 3.0]),
    (2, 40, &[3.0, 3.0, 3.0]),
    (2, 80, &[6.0, 2.5, 2.3, 2.3]),
    (1, 112, &[6.0, 6.0]),
    (2, 160, &[6.0, 6.0, 6.0]),
];

impl Variant {
    /// Stride of the first stage, the stages of inverted residuals, channels of the last stage.
    const fn plan(self) -> (usize, &'static [Stage], usize) {
        match self {
            Self::Small => (2, SMALL, 576),
            Self::Large => (1, LARGE, 960),
        }
    }

    /// Channels of the last feature map.
    pub const fn width(self) -> usize {
        self.plan().2
    }
}

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Depthwise, then pointwise without an activation.
    Separable,
    /// Pointwise to more channels, depthwise, pointwise back without an activation.
    InvertedResidual,
    /// One pointwise convolution.
    Pointwise,
}

/// One block of a stage; which of the convolutions it has says its kind.
#[derive(Module, Debug)]
struct Block {
    conv: Option<Conv2d>,
    conv_pw: Option<Conv2d>,
    conv_dw: Option<Conv2d>,
    conv_pwl: Option<Conv2d>,
    bn1: BatchNorm,
    bn2: Option<BatchNorm>,
    bn3: Option<BatchNorm>,
    #[module(skip)]
    kind: Kind,
    #[module(skip)]
    shortcut: bool,
}

fn convolution(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Same)
        .with_bias(false)
        .init(device)
}

impl Block {
    fn separable([from, to]: [usize; 2], stride: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            conv: None,
            conv_pw: Some(convolution([from, to], 1, 1, 1, device)),
            conv_dw: Some(convolution([from, from], KERNEL, stride, from, device)),
            conv_pwl: None,
            bn1: BatchNorm::new(from, epsilon, device),
            bn2: Some(BatchNorm::new(to, epsilon, device)),
            bn3: None,
            kind: Kind::Separable,
            shortcut: stride == 1 && from == to,
        }
    }

    fn inverted_residual([from, to]: [usize; 2], stride: usize, expansion: f64, epsilon: f64, device: &Device) -> Self {
        let wide = rounded_width(from as f64 * expansion);
        Self {
            conv: None,
            conv_pw: Some(convolution([from, wide], 1, 1, 1, device)),
            conv_dw: Some(convolution([wide, wide], KERNEL, stride, wide, device)),
            conv_pwl: Some(convolution([wide, to], 1, 1, 1, device)),
            bn1: BatchNorm::new(wide, epsilon, device),
            bn2: Some(BatchNorm::new(wide, epsilon, device)),
            bn3: Some(BatchNorm::new(to, epsilon, device)),
            kind: Kind::InvertedResidual,
            shortcut: stride == 1 && from == to,
        }
    }

    fn pointwise([from, to]: [usize; 2], epsilon: f64, device: &Device) -> Self {
        Self {
            conv: Some(convolution([from, to], 1, 1, 1, device)),
            conv_pw: None,
            conv_dw: None,
            conv_pwl: None,
            bn1: BatchNorm::new(to, epsilon, device),
            bn2: None,
            bn3: None,
            kind: Kind::Pointwise,
            shortcut: false,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let step = |conv: &Option<Conv2d>, norm: &BatchNorm, x| {
            norm.forward(conv.as_ref().expect("its kind has this convolution").forward(x))
        };
        let second = || self.bn2.as_ref().expect("its kind has a second norm");
        let out = match self.kind {
            Kind::Separable => {
                let x = relu(step(&self.conv_dw, &self.bn1, x.clone()));
                step(&self.conv_pw, second(), x)
            }
            Kind::InvertedResidual => {
                let x = relu(step(&self.conv_pw, &self.bn1, x.clone()));
                let x = relu(step(&self.conv_dw, second(), x));
                step(&self.conv_pwl, self.bn3.as_ref().expect("its kind has a third norm"), x)
            }
            Kind::Pointwise => relu(step(&self.conv, &self.bn1, x.clone())),
        };
        if self.shortcut { out + x } else { out }
    }
}

/// The multiple of eight next to a width, never more than a tenth below it.
fn rounded_width(width: f64) -> usize {
    let near = ((width + DIVISOR / 2.0) / DIVISOR).floor().max(1.0) * DIVISOR;
    (if near < 0.9 * width { near + DIVISOR } else { near }) as usize
}

/// Stem and stages; the classifier is left out.
#[derive(Module, Debug)]
pub struct Backbone {
    conv_stem: Conv2d,
    bn1: BatchNorm,
    blocks: Vec<Vec<Block>>,
    /// Stages whose output is a level of the feature pyramid.
    #[module(skip)]
    levels: Vec<usize>,
    #[module(skip)]
    stem_is_level: bool,
}

impl Backbone {
    /// An untrained backbone.
    pub fn new(variant: Variant, epsilon: f64, device: &Device) -> Self {
        let (first_stride, stages, last) = variant.plan();
        let mut blocks = vec![vec![Block::separable([STEM, STEM], first_stride, epsilon, device)]];
        let mut from = STEM;
        for (stride, to, expansions) in stages {
            let stage = expansions.iter().enumerate().map(|(index, expansion)| {
                let (from, stride) = if index == 0 { (from, *stride) } else { (*to, 1) };
                Block::inverted_residual([from, *to], stride, *expansion, epsilon, device)
            });
            blocks.push(stage.collect());
            from = *to;
        }
        blocks.push(vec![Block::pointwise([from, last], epsilon, device)]);
        // A level ends where the next stage halves the picture, and at the end.
        let halves = |stage: usize| stages.get(stage).is_some_and(|(stride, ..)| *stride > 1);
        let end = blocks.len() - 1;
        Self {
            conv_stem: convolution([3, STEM], KERNEL, 2, 1, device),
            bn1: BatchNorm::new(STEM, epsilon, device),
            levels: (0..=end).filter(|stage| *stage == end || halves(*stage)).collect(),
            stem_is_level: first_stride > 1,
            blocks,
        }
    }

    /// The five levels of the feature pyramid, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]` to five `[batch, channels, height / 2^k, width / 2^k]`, rounded up; the last one has
    /// [`Variant::width`] channels.
    pub fn levels(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = relu(self.bn1.forward(self.conv_stem.forward(x)));
        let mut levels = Vec::with_capacity(self.levels.len() + 1);
        if self.stem_is_level {
            levels.push(x.clone());
        }
        for (index, stage) in self.blocks.iter().enumerate() {
            x = stage.iter().fold(x, |x, block| block.forward(x));
            if self.levels.contains(&index) {
                levels.push(x.clone());
            }
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_published_network() {
        assert_eq!(rounded_width(16.0 * 4.5), 72);
        assert_eq!(rounded_width(24.0 * 3.67), 88);
        assert_eq!(rounded_width(80.0 * 2.5), 200);
        assert_eq!(rounded_width(80.0 * 2.3), 184);
        assert_eq!(rounded_width(3.0), 8);
    }

    #[test]
    fn the_pyramid_has_five_levels_and_halves_odd_sizes_up() {
        let device = Device::flex();
        for variant in [Variant::Small, Variant::Large] {
            let backbone = Backbone::new(variant, 1e-3, &device);
            let levels = backbone.levels(Tensor::zeros([1, 3, 33, 64], &device));
            let sizes: Vec<[usize; 2]> = levels.iter().map(|level| [level.dims()[2], level.dims()[3]]).collect();
            assert_eq!(sizes, [[17, 32], [9, 16], [5, 8], [3, 4], [2, 2]]);
            assert_eq!(levels[4].dims()[1], variant.width());
        }
    }
}
