//! The regressor: a square picture in, points, scores and presence out.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::linear;

use crate::{BLENDSHAPES, Error, LANDMARKS, Result};

/// Kernel of every convolution but the last one.
const KERNEL: usize = 3;
/// Most pixels of a side and most channels: no network of this kind comes near.
const MAX_SIDE: usize = 1024;
const MAX_WIDTH: usize = 4096;
/// Smallest mean score to begin with.
const LEAST_SCORE: f64 = 0.01;

/// Sizes of the regressor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactConfig {
    /// Pixels of a side of what it sees; a multiple of 2 to the number of stages.
    pub side: usize,
    /// Channels of each stage, each of which halves the picture.
    pub channels: Vec<usize>,
    /// Channels that are left of the last stage before everything is joined.
    pub squeezed: usize,
    /// Features from which points and scores are read.
    pub features: usize,
}

impl CompactConfig {
    /// Refuses sizes that cannot be built.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub fn validate(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::invalid("landmark network", reason));
        let halvings = u32::try_from(self.channels.len()).unwrap_or(u32::MAX);
        let Some(factor) = 2usize.checked_pow(halvings).filter(|factor| *factor <= MAX_SIDE) else {
            return wrong(format!("channels: {} stages are too many", self.channels.len()));
        };
        if self.side == 0 || self.side > MAX_SIDE || !self.side.is_multiple_of(factor) {
            return wrong(format!("side: {} is not a multiple of {factor} up to {MAX_SIDE}", self.side));
        }
        let widths = self.channels.iter().chain([&self.squeezed, &self.features]);
        if self.channels.is_empty() || { widths }.any(|width| !(1..=MAX_WIDTH).contains(width)) {
            return wrong(format!(
                "channels, squeezed, features: each must be 1 to {MAX_WIDTH}, with at least one stage"
            ));
        }
        Ok(())
    }

    /// Floating-point operations of one look, a multiplication and an addition counted as two.
    pub fn flops(&self) -> u64 {
        let inputs = std::iter::once(3).chain(self.channels.iter().copied());
        let stages = inputs.zip(&self.channels).enumerate().map(|(level, (input, output))| {
            let pixels = (self.side >> (level + 1)).pow(2);
            pixels * KERNEL * KERNEL * output * (input + 2 * output)
        });
        let cells = (self.side >> self.channels.len()).pow(2);
        let squeezed = cells * self.squeezed * self.channels.last().copied().unwrap_or(0);
        let joined = self.features * (self.squeezed * cells + 3 * LANDMARKS + BLENDSHAPES + 1);
        2 * (stages.sum::<usize>() + squeezed + joined) as u64
    }

    /// An untrained regressor; its weights are whatever the device draws.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<CompactNetwork> {
        self.validate()?;
        let inputs = std::iter::once(3).chain(self.channels.iter().copied());
        let stages = inputs.zip(&self.channels).map(|(input, output)| Stage::new(input, *output, device)).collect();
        let last = self.channels[self.channels.len() - 1];
        let cells = (self.side >> self.channels.len()).pow(2);
        Ok(CompactNetwork {
            stages,
            squeeze: convolution([last, self.squeezed], 1, 1, device),
            join: linear(self.squeezed * cells, self.features, device),
            points: linear(self.features, 3 * LANDMARKS, device),
            scores: linear(self.features, BLENDSHAPES, device),
            presence: linear(self.features, 1, device),
            canonical: Initializer::Zeros.init([LANDMARKS, 3], device),
        })
    }
}

fn convolution(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let around = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(around, around, around, around))
        .init(device)
}

/// How the 3x3 convolutions of stages are computed: of stride 1 or 2, with a zero around the picture. Training knows a way that is
/// differentiated faster than Burn's.
pub trait Convolve<const D: usize> {
    /// The convolution of `x`.
    fn convolve(&self, layer: &Conv2d, x: Tensor<D>) -> Tensor<D>;

    /// The same value, for two uses.
    fn shared(&self, x: Tensor<D>) -> Tensor<D> {
        x
    }
}

/// Burn's way.
struct Burns;

impl Convolve<4> for Burns {
    fn convolve(&self, layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
        layer.forward(x)
    }
}

/// Half the size, then a residual branch.
#[derive(Module, Debug)]
struct Stage {
    down: Conv2d,
    first: Conv2d,
    second: Conv2d,
}

impl Stage {
    fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            down: convolution([input, output], KERNEL, 2, device),
            first: convolution([output, output], KERNEL, 1, device),
            second: convolution([output, output], KERNEL, 1, device),
        }
    }

    fn forward<const D: usize>(&self, x: Tensor<D>, by: &impl Convolve<D>) -> Tensor<D> {
        let x = by.shared(relu(by.convolve(&self.down, x)));
        let branch = by.convolve(&self.second, relu(by.convolve(&self.first, x.clone())));
        relu(x + branch)
    }
}

/// The regressor. Keys are the names of its fields.
#[derive(Module, Debug)]
pub struct CompactNetwork {
    stages: Vec<Stage>,
    squeeze: Conv2d,
    join: Linear,
    points: Linear,
    scores: Linear,
    presence: Linear,
    /// The mean head that poses are measured against, in centimetres, `[478, 3]`. No gradient reaches it.
    canonical: Param<Tensor<2>>,
}

impl Published for CompactNetwork {}

/// What the regressor says about a batch of pictures.
#[derive(Debug, Clone)]
pub struct CompactOutput {
    /// Points relative to the picture, z on the scale of x, `[batch, 478, 3]`.
    pub points: Tensor<3>,
    /// Expression scores in 0..1, `[batch, 52]`.
    pub scores: Tensor<2>,
    /// Logit of the probability that there is a face, `[batch, 1]`.
    pub presence: Tensor<2>,
}

impl CompactNetwork {
    /// Reads pictures.
    ///
    /// # Shapes
    /// `pictures`: `[batch, 3, side, side]`, red, green, blue in 0..1.
    pub fn forward(&self, pictures: Tensor<4>) -> CompactOutput {
        self.read(self.stages(pictures, &Burns))
    }

    /// [`forward`](Self::forward) of pictures that are the frames of a clip, convolutions computed `by` another way than Burn's.
    ///
    /// # Shapes
    /// `clip`: `[1, 3, pictures, side, side]`, red, green, blue in 0..1.
    pub fn forward_by(&self, clip: Tensor<5>, by: &impl Convolve<5>) -> CompactOutput {
        let x = self.stages(clip, by);
        let [_, channels, pictures, height, width] = x.dims();
        self.read(x.reshape([channels, pictures, height, width]).swap_dims(0, 1))
    }

    fn stages<const D: usize>(&self, pictures: Tensor<D>, by: &impl Convolve<D>) -> Tensor<D> {
        let x = pictures.mul_scalar(2.0).sub_scalar(1.0);
        self.stages.iter().fold(x, |x, stage| stage.forward(x, by))
    }

    /// What the last stage says, `[batch, channels, height, width]`.
    fn read(&self, x: Tensor<4>) -> CompactOutput {
        let batch = x.dims()[0];
        let x: Tensor<2> = relu(self.squeeze.forward(x)).flatten(1, 3);
        let features = relu(self.join.forward(x));
        let points = self.points.forward(features.clone()).reshape([batch, LANDMARKS, 3]);
        CompactOutput {
            points,
            scores: sigmoid(self.scores.forward(features.clone())),
            presence: self.presence.forward(features),
        }
    }

    /// The same network that begins its training with what is known without looking: the mean of all points, relative to
    /// a view, `[478, 3]`, the mean scores, `[52]`, and the mean head in centimetres, `[478, 3]`.
    #[must_use]
    pub fn with_means(mut self, points: Tensor<2>, scores: Tensor<1>, head: Tensor<2>) -> Self {
        // A score of 0 or 1 would need a bias without end.
        let scores = scores.clamp(LEAST_SCORE, 1.0 - LEAST_SCORE);
        let logits = scores.clone().log() - scores.mul_scalar(-1.0).add_scalar(1.0).log();
        self.points.bias = Some(Param::from_tensor(points.reshape([3 * LANDMARKS])));
        self.scores.bias = Some(Param::from_tensor(logits));
        self.canonical = Param::from_tensor(head).set_require_grad(false);
        self
    }

    /// The mean head in centimetres, `[478, 3]`.
    pub fn canonical(&self) -> Tensor<2> {
        self.canonical.val()
    }
}
