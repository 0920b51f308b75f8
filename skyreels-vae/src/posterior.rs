//! The distribution of latents that encoding gives.

use burn::tensor::{DType, Tensor};

use crate::error::{Error, Result};

/// Bounds of the log-variance (`DiagonalGaussianDistribution`).
const LOGVAR_RANGE: [f32; 2] = [-30.0, 20.0];

/// A Gaussian with independent elements.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// `[batch, latent_channels, t, h, w]`, f32.
    pub mean: Tensor<5>,
    /// Logarithm of the variance within `[-30, 20]`, as large as `mean`, f32.
    pub logvar: Tensor<5>,
}

impl Posterior {
    /// # Shapes
    /// `moments` `[batch, 2 * latent_channels, t, h, w]`: mean, then log-variance.
    pub(crate) fn from_moments(moments: Tensor<5>) -> Self {
        let channels = moments.dims()[1] / 2;
        let moments = moments.cast(DType::F32);
        let [lowest, highest] = LOGVAR_RANGE;
        Self {
            mean: moments.clone().narrow(1, 0, channels),
            logvar: moments.narrow(1, channels, channels).clamp(lowest, highest),
        }
    }

    /// The most likely latents: the mean.
    pub fn mode(&self) -> Tensor<5> {
        self.mean.clone()
    }

    /// `mean + exp(logvar / 2) * noise` with standard normal noise of the caller's.
    ///
    /// # Shapes
    /// `noise` as `mean`.
    ///
    /// # Errors
    /// [`Error::Shape`] for noise of another shape.
    pub fn sample(&self, noise: Tensor<5>) -> Result<Tensor<5>> {
        if noise.dims() != self.mean.dims() {
            return Err(Error::Shape {
                action: "sample with",
                shape: noise.dims().to_vec(),
                reason: format!("the latents are {:?}; draw noise of that shape", self.mean.dims()),
            });
        }
        let deviation = self.logvar.clone().mul_scalar(0.5).exp();
        Ok(self.mean.clone() + deviation * noise.cast(DType::F32))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::*;

    fn posterior(mean: f32, logvar: f32) -> Posterior {
        let device = Device::flex();
        Posterior::from_moments(Tensor::from_data([[[[[mean]]], [[[logvar]]]]], &device))
    }

    proptest! {
        #[test]
        fn samples_are_mean_plus_deviation_times_noise(mean in -3f32..3.0, logvar in -40f32..30.0, noise in -3f32..3.0) {
            let expected = mean + (0.5 * logvar.clamp(-30.0, 20.0)).exp() * noise;
            let noise = Tensor::from_data([[[[[noise]]]]], &Device::flex());
            let sample: f32 = posterior(mean, logvar).sample(noise).unwrap().into_scalar();
            prop_assert!((sample - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{sample} {expected}");
        }
    }

    #[test]
    fn noise_of_another_shape_is_refused() {
        let noise = Tensor::zeros([1, 1, 1, 1, 2], &Device::flex());
        assert!(posterior(0.0, 0.0).sample(noise).unwrap_err().to_string().contains("[1, 1, 1, 1, 2]"));
    }
}
