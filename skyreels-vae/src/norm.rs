//! Group norm, and the group norm of the decoder that the latents modulate.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Device, Tensor};

use crate::conv::PointConv;
use crate::resize::follow;

/// Epsilon of every norm but those of the encoder's residual blocks, whatever `norm_eps` says.
pub(crate) const FIXED_EPSILON: f64 = 1e-6;
/// Elements that the variance looks at in one go: bounds its temporary copy.
const PIECE: usize = 1 << 21;

/// A norm in front of an activation: `x * gain + offset` with gain and offset that depend on the
/// moments of `x`, and that may be smaller than `x`.
pub(crate) trait Norm: Module {
    /// What modulates the norm.
    type Guide;

    /// Groups of channels that are normalised together.
    fn groups(&self) -> usize;

    /// What is added to a variance.
    fn epsilon(&self) -> f64;

    /// Gain and offset of normalised values.
    ///
    /// # Shapes
    /// `[batch, channels, t, h, w]` in f32, with a batch of 1 where nothing modulates.
    fn affine(&self, guide: &Self::Guide) -> (Tensor<5>, Tensor<5>);

    /// Gain and offset of values with these moments.
    ///
    /// # Shapes
    /// `mean` and `variance` `[batch, groups, 1]` in f32 to `[batch, channels, t, h, w]`.
    fn modulation(&self, mean: Tensor<3>, variance: Tensor<3>, guide: &Self::Guide) -> (Tensor<5>, Tensor<5>) {
        let [batch, groups, _] = mean.dims();
        let (gain, offset) = self.affine(guide);
        let channels = gain.dims()[1];
        let per_channel = |t: Tensor<3>| t.repeat_dim(2, channels / groups).reshape([batch, channels, 1, 1, 1]);
        let gain = gain * per_channel(variance.add_scalar(self.epsilon()).sqrt().recip());
        (gain.clone(), offset - gain * per_channel(mean))
    }

    /// # Shapes
    /// `[batch, channels, frames, height, width]` of any float type to the same in f32.
    fn forward(&self, x: Tensor<5>, guide: &Self::Guide) -> Tensor<5> {
        let [batch, channels, frames, height, width] = x.dims();
        let x = x.cast(DType::F32);
        let length = channels / self.groups() * frames * height * width;
        let x = x.reshape([batch, self.groups(), length]);
        let (mean, variance) = moments(x.clone());
        // The mean is taken off before the gain, which is a thousand where the input is flat.
        let centred = (x - mean.clone()).reshape([batch, channels, frames, height, width]);
        let (gain, offset) = self.modulation(mean.zeros_like(), variance, guide);
        follow(centred, gain, offset)
    }
}

/// Norm over groups of channels and all positions of a batch of frames.
#[derive(Module, Debug)]
pub(crate) struct GroupNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    epsilon: f64,
}

impl GroupNorm {
    pub(crate) fn new(groups: usize, channels: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            groups,
            epsilon,
        }
    }
}

impl Norm for GroupNorm {
    type Guide = ();

    fn groups(&self) -> usize {
        self.groups
    }

    fn epsilon(&self) -> f64 {
        self.epsilon
    }

    fn affine(&self, (): &()) -> (Tensor<5>, Tensor<5>) {
        let [channels] = self.weight.dims();
        let of_channel = |param: &Param<Tensor<1>>| param.val().cast(DType::F32).reshape([1, channels, 1, 1, 1]);
        (of_channel(&self.weight), of_channel(&self.bias))
    }
}

/// Mean and biased variance over the last axis, in two passes: the difference of squares would
/// lose the variance of values far from zero. The second pass also corrects the mean, which a backend
/// that adds up in order has to only a few digits; a flat input is divided by next to nothing.
fn moments(x: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
    let [batch, groups, length] = x.dims();
    let mean = x.clone().mean_dim(2);
    let step = (PIECE / (batch * groups)).max(1);
    let sums = |start: usize| {
        let distance = x.clone().narrow(2, start, step.min(length - start)) - mean.clone();
        (distance.clone().sum_dim(2), distance.square().sum_dim(2))
    };
    let (distance, square) = (step..length).step_by(step).fold(sums(0), |held, start| {
        let (distance, square) = sums(start);
        (held.0 + distance, held.1 + square)
    });
    let correction = distance.div_scalar(length as f64);
    let variance = square.div_scalar(length as f64) - correction.clone().square();
    (mean + correction, variance)
}

/// `GroupNorm(x) * conv_y(latents) + conv_b(latents)` with the latents resized to `x`
/// (`CogVideoXSpatialNorm3D`).
///
/// The convolutions are 1x1x1, so they commute with the nearest resize: they run at the size of
/// the latents, and so does the product with the norm's scale and shift.
#[derive(Module, Debug)]
pub(crate) struct SpatialNorm {
    norm_layer: GroupNorm,
    conv_y: PointConv,
    conv_b: PointConv,
}

impl SpatialNorm {
    pub(crate) fn new(groups: usize, channels: usize, latent_channels: usize, device: &Device) -> Self {
        Self {
            norm_layer: GroupNorm::new(groups, channels, FIXED_EPSILON, device),
            conv_y: PointConv::new([latent_channels, channels], device),
            conv_b: PointConv::new([latent_channels, channels], device),
        }
    }
}

impl Norm for SpatialNorm {
    /// The batch of latents that is being decoded.
    type Guide = Tensor<5>;

    fn groups(&self) -> usize {
        self.norm_layer.groups
    }

    fn epsilon(&self) -> f64 {
        self.norm_layer.epsilon
    }

    fn affine(&self, latents: &Tensor<5>) -> (Tensor<5>, Tensor<5>) {
        let (scale, shift) = self.norm_layer.affine(&());
        let gain = self.conv_y.forward(latents.clone()).cast(DType::F32);
        let offset = self.conv_b.forward(latents.clone()).cast(DType::F32) + gain.clone() * shift;
        (gain * scale, offset)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;

    #[test]
    fn moments_of_values_far_from_zero_are_exact() {
        let device = Device::flex();
        let small = Tensor::<3>::random([1, 2, 5000], Distribution::Normal(0.0, 1.0), &device);
        let (mean, variance) = moments(small.clone());
        let (far_mean, far_variance) = moments(small + 1000.0);
        let tolerance = Tolerance::absolute(1e-3);
        far_mean.into_data().assert_approx_eq::<f32>(&(mean + 1000.0).into_data(), tolerance);
        far_variance.into_data().assert_approx_eq::<f32>(&variance.into_data(), tolerance);
    }

    #[test]
    fn a_group_comes_out_with_mean_zero_and_variance_one() {
        let device = Device::flex();
        let norm = GroupNorm::new(2, 4, 1e-6, &device);
        let x = Tensor::random([1, 4, 3, 5, 7], Distribution::Uniform(3.0, 9.0), &device);
        let (mean, variance) = moments(norm.forward(x, &()).reshape([1, 2, 2 * 3 * 5 * 7]));
        mean.into_data()
            .assert_approx_eq::<f32>(&Tensor::<3>::zeros([1, 2, 1], &device).into_data(), Tolerance::absolute(1e-5));
        variance
            .into_data()
            .assert_approx_eq::<f32>(&Tensor::<3>::ones([1, 2, 1], &device).into_data(), Tolerance::absolute(1e-5));
    }
}
