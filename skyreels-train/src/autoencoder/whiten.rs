//! Latents without a mean, whose directions vary more alike.
//!
//! Nothing in the reconstruction asks for evenly used channels: most of the latents' power is their means and the picture's
//! brightness, and what makes a face sharp is a thousandth of it. A denoiser drowns that in noise and in its own rounding. So the
//! latents are given other axes, `z' = A (z - mean)`, and the linear layers on both sides take `A` and its inverse in: pictures stay
//! as they were, but for a rim, where the decoder's first convolution is padded with zeros that mean something else now.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Tensor, TensorData};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use skyreels_core::checkpoint::Published;
use skyreels_vae::Posterior;

use super::task::Autoencoder;
use crate::optimise::{overwrite, values};
use crate::{Error, Result};

/// Directions that vary less than this, beside the one that varies most, are stretched no further.
const LEAST_VARIANCE: f64 = 1e-6;
const ENCODER_OUT: &str = "vae.encoder.conv_out.conv.";
const DECODER: &str = "vae.decoder.";
/// What reads latents in the decoder: its first convolution and the two of every spatial norm.
const READERS: [&str; 3] = ["conv_in.conv.", "conv_y.conv.", "conv_b.conv."];

/// Mean and covariance of latents over clips.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    count: f64,
    sum: DVector<f64>,
    products: DMatrix<f64>,
    /// Of the posterior's own variance.
    spread: DVector<f64>,
}

impl Moments {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            count: 0.0,
            sum: DVector::zeros(channels),
            products: DMatrix::zeros(channels, channels),
            spread: DVector::zeros(channels),
        }
    }

    /// Adds a clip's posterior, not scaled.
    pub(super) fn add(&mut self, posterior: Posterior) {
        let columns = |tensor: Tensor<5>| {
            let [_, channels, ..] = tensor.dims();
            let values: Vec<f64> = tensor.swap_dims(0, 1).into_data().iter().collect();
            DMatrix::from_row_slice(channels, values.len() / channels, &values)
        };
        let (means, variances) = (columns(posterior.mean), columns(posterior.logvar.exp()));
        self.count += means.ncols() as f64;
        self.sum += means.column_sum();
        self.products += &means * means.transpose();
        self.spread += variances.column_sum();
    }

    fn mean(&self) -> DVector<f64> {
        &self.sum / self.count
    }

    fn covariance(&self) -> DMatrix<f64> {
        let mean = self.mean();
        &self.products / self.count - &mean * mean.transpose()
    }

    /// Mean variance of a channel of a sample: that of the means, and around them.
    pub(super) fn variance(&self) -> f64 {
        (self.covariance().trace() + self.spread.sum() / self.count) / self.sum.len() as f64
    }
}

/// `z' = forward (z - mean)`.
#[derive(Debug, Clone)]
pub(super) struct Whitening {
    mean: DVector<f64>,
    forward: DMatrix<f64>,
    backward: DMatrix<f64>,
    /// Mean variances of the new posterior.
    spread: DVector<f64>,
}

impl Whitening {
    /// What turns a direction of variance `v` into one of `v^(1 - strength)`, and the mean variance into 1.
    ///
    /// # Errors
    /// [`Error::Invalid`] for latents that do not vary, or are not numbers.
    pub(super) fn new(moments: &Moments, strength: f64) -> Result<Self> {
        let covariance = moments.covariance();
        // Eigenvalues of what is not finite are never found.
        if !covariance.iter().all(|value| value.is_finite()) {
            return Err(Error::invalid(
                "latents",
                "some are not finite: the VAE has diverged before they were whitened",
            ));
        }
        let eigen = SymmetricEigen::new(covariance);
        let largest = eigen.eigenvalues.max();
        if largest <= 0.0 {
            return Err(Error::invalid("latents", format!("their largest variance is {largest}: nothing to whiten")));
        }
        let variances = eigen.eigenvalues.map(|variance| variance.max(LEAST_VARIANCE * largest));
        let stretched = variances.map(|variance| variance.powf(-0.5 * strength));
        let after = variances.zip_map(&stretched, |variance, by| variance * by * by).mean();
        let factors = stretched / after.sqrt();
        let axes = eigen.eigenvectors;
        let forward = DMatrix::from_diagonal(&factors) * axes.transpose();
        let spread = forward.map(|value| value * value) * (&moments.spread / moments.count);
        let backward = axes * DMatrix::from_diagonal(&factors.map(f64::recip));
        Ok(Self { mean: moments.mean(), forward, backward, spread })
    }

    /// The VAE with these latents. Deviations of its posterior become those that it has had on the mean.
    /// `device` is the networks', without automatic differentiation.
    pub(super) fn apply(&self, networks: Autoencoder, device: &Device) -> Autoencoder {
        let shapes = networks.published_shapes();
        let touched = shapes.keys().filter(|key| key.starts_with(ENCODER_OUT) || is_reader(key)).cloned().collect();
        let old: BTreeMap<String, Vec<f64>> = values(&networks, &touched)
            .into_iter()
            .map(|(key, value)| (key, value.into_data().iter().collect()))
            .collect();
        let mut new = BTreeMap::new();
        for weight_key in touched.iter().filter(|key| key.ends_with("weight")) {
            let bias_key = weight_key.replace("weight", "bias");
            let shape = &shapes[weight_key];
            let (weight, bias) = (&old[weight_key], &old[&bias_key]);
            let (weight, bias) = if weight_key.starts_with(ENCODER_OUT) {
                self.written(weight, bias)
            } else {
                self.read(weight, bias, shape[0])
            };
            for (key, values) in [(weight_key.clone(), weight), (bias_key, bias)] {
                let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
                let count = values.len();
                new.insert(key, Tensor::from_data(TensorData::new(values, [count]), (device, DType::F32)));
            }
        }
        overwrite(networks, &new)
    }

    /// The convolution that says means and log-variances.
    fn written(&self, weight: &[f64], bias: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let channels = self.mean.len();
        let row = weight.len() / (2 * channels);
        let means = &self.forward * DMatrix::from_row_slice(channels, row, &weight[..channels * row]);
        let offsets = &self.forward * (DVector::from_column_slice(&bias[..channels]) - &self.mean);
        let logvar = self.spread.map(f64::ln);
        let weight = means.transpose().iter().copied().chain(std::iter::repeat_n(0.0, channels * row)).collect();
        (weight, offsets.iter().chain(logvar.iter()).copied().collect())
    }

    /// A convolution over latents, `[outputs, channels, kernel..]`.
    fn read(&self, weight: &[f64], bias: &[f64], outputs: usize) -> (Vec<f64>, Vec<f64>) {
        let channels = self.mean.len();
        let kernel = weight.len() / (outputs * channels);
        let mut changed = Vec::with_capacity(weight.len());
        let mut biases = bias.to_vec();
        for (filter, bias) in weight.chunks_exact(channels * kernel).zip(&mut biases) {
            let filter = DMatrix::from_row_slice(channels, kernel, filter);
            *bias += (self.mean.transpose() * &filter).sum();
            changed.extend_from_slice((self.backward.transpose() * filter).transpose().as_slice());
        }
        (changed, biases)
    }
}

fn is_reader(key: &str) -> bool {
    key.starts_with(DECODER) && READERS.iter().any(|reader| key.contains(reader))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use skyreels_core::diffusion::NoiseGenerator;

    use super::*;

    /// Latents of three channels that share most of what they say, around a mean.
    fn latents(scale: f32) -> Posterior {
        let device = Device::flex();
        let noise = NoiseGenerator::new(5).normal::<5>([1, 3, 4, 8, 8], &device);
        let parts = [0, 1, 2].map(|channel| noise.clone().narrow(1, channel, 1));
        let common = parts[0].clone().mul_scalar(2.0);
        let mean = Tensor::cat(
            vec![
                common.clone().add_scalar(3.0),
                common.clone() + parts[1].clone().mul_scalar(0.1),
                common.neg().add_scalar(-1.0) + parts[2].clone().mul_scalar(0.02),
            ],
            1,
        );
        Posterior { logvar: mean.zeros_like().add_scalar(-6.0), mean: mean.mul_scalar(scale) }
    }

    fn moments(scale: f32) -> Moments {
        let mut moments = Moments::new(3);
        moments.add(latents(scale));
        moments
    }

    #[test]
    fn directions_come_nearer_to_each_other_by_the_strength() {
        let moments = moments(1.0);
        let spectrum = |matrix: DMatrix<f64>| {
            let mut values: Vec<f64> = SymmetricEigen::new(matrix).eigenvalues.iter().copied().collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let before = spectrum(moments.covariance());
        assert!(before[0] < 1e-3 * before[2], "{before:?}");
        for strength in [0.0, 0.5, 1.0] {
            let whitening = Whitening::new(&moments, strength).unwrap();
            let after = spectrum(&whitening.forward * moments.covariance() * whitening.forward.transpose());
            assert!((after.iter().sum::<f64>() / 3.0 - 1.0).abs() < 1e-9, "{after:?}");
            for (before, after) in before.iter().zip(&after).map(|(b, a)| (b / before[2], a / after.last().unwrap())) {
                assert!((after / before.powf(1.0 - strength) - 1.0).abs() < 1e-6, "{strength}: {before} {after}");
            }
            let there_and_back = &whitening.backward * &whitening.forward;
            assert!((there_and_back - DMatrix::identity(3, 3)).amax() < 1e-9);
        }
    }

    #[test]
    fn latents_that_do_not_vary_are_refused() {
        let error = Whitening::new(&moments(0.0), 0.5).unwrap_err().to_string();
        assert!(error.contains("nothing to whiten"), "{error}");
    }

    #[test]
    fn latents_of_a_diverged_vae_are_refused() {
        let error = Whitening::new(&moments(f32::NAN), 0.5).unwrap_err().to_string();
        assert!(error.contains("not finite"), "{error}");
    }
}
