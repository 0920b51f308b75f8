//! What errors of the latents' channels change in the picture.
//!
//! Channels of latents are not alike: an error of the small model's first one, which is brightness above all, changes the picture by
//! far more than the same error of another one. Without weights most of a small network's strength goes into what is hardly seen.

use burn::tensor::Tensor;
use skyreels_core::diffusion::NoiseGenerator;

use crate::{Error, Result};

/// Examples that are decoded to find out, once for each channel.
pub(super) const PROBED: u64 = 2;
/// Deviation of the noise that a channel is given, small beside latents of deviation 1.
const STEP: f64 = 0.1;
const SEED: u64 = 0x91C7;

/// Mean square by which the picture changes, per square by which each channel does.
///
/// # Shapes
/// `latents` `[1, channels, frames, height, width] -> [channels]`; `decode` may give any shape.
///
/// # Errors
/// Those of `decode`, and [`Error::Invalid`] where the picture does not depend on the latents, or is not finite.
pub(super) fn sensitivity(latents: &Tensor<5>, decode: impl Fn(Tensor<5>) -> Result<Tensor<5>>) -> Result<Vec<f64>> {
    let [_, channels, frames, height, width] = latents.dims();
    let still = decode(latents.clone())?;
    let mut random = NoiseGenerator::new(SEED);
    let of_channel = |channel: usize| {
        let place = [0..1, channel..channel + 1, 0..frames, 0..height, 0..width];
        let noise = random.normal([1, 1, frames, height, width], &latents.device()).mul_scalar(STEP);
        let moved = latents.clone().slice(place.clone()) + noise.cast(latents.dtype());
        let changed = decode(latents.clone().slice_assign(place, moved))? - still.clone();
        Ok(f64::from(changed.powi_scalar(2).mean().into_scalar::<f32>()) / STEP.powi(2))
    };
    let found = (0..channels).map(of_channel).collect::<Result<Vec<f64>>>()?;
    let sum: f64 = found.iter().sum();
    if sum.is_finite() && sum > 0.0 {
        return Ok(found);
    }
    let reason =
        format!("the VAE's pictures change by {sum} with its latents: train it first, or leave the setting out");
    Err(Error::invalid("loss.picture", reason))
}

/// Weights of the channels' errors, 1 in the mean: their sensitivities to the power of `strength`.
pub(super) fn weights(sensitivity: &[f64], strength: f64) -> Vec<f32> {
    let raised: Vec<f64> = sensitivity.iter().map(|value| value.powf(strength)).collect();
    let mean = raised.iter().sum::<f64>() / raised.len() as f64;
    raised.iter().map(|value| (value / mean) as f32).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_channel_counts_by_the_square_of_what_the_decoder_makes_of_it() {
        let device = Device::flex();
        let latents = NoiseGenerator::new(1).normal([1, 3, 4, 16, 16], &device);
        let gains = Tensor::<5>::from_data(TensorData::new(vec![1.0f32, -3.0, 0.5], [1, 3, 1, 1, 1]), &device);
        let found = sensitivity(&latents, |z| Ok(z * gains.clone())).unwrap();
        for (found, gain) in found.iter().zip([1.0f64, -3.0, 0.5]) {
            // A third of the picture is this channel; 1024 draws of noise have a mean square of 1 within a few hundredths.
            assert!((found / (gain * gain / 3.0) - 1.0).abs() < 0.15, "{found} {gain}");
        }
        let error = sensitivity(&latents, |z| Ok(z.zeros_like())).unwrap_err();
        assert!(error.to_string().contains("loss.picture"), "{error}");
    }

    #[test]
    fn strength_goes_from_all_alike_to_what_the_picture_says() {
        assert_eq!(weights(&[4.0, 1.0, 0.25], 0.0), [1.0; 3]);
        let whole = weights(&[4.0, 1.0, 0.25], 1.0);
        let half = weights(&[4.0, 1.0, 0.25], 0.5);
        assert!((whole[0] / whole[1] - 4.0).abs() < 1e-5 && (half[0] / half[1] - 2.0).abs() < 1e-5);
        assert!([whole, half].iter().all(|weights| (weights.iter().sum::<f32>() - 3.0).abs() < 1e-5));
    }
}
