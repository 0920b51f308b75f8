//! What the VAE's training minimises.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use skyreels_vae::Posterior;

/// Weights of the parts of the loss, each a mean over all elements.
///
/// The usual perceptual and adversarial parts need networks of others; edges take their place as far as sharpness goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconstructionLoss {
    /// Of the absolute difference.
    pub l1: f64,
    /// Of the squared difference.
    pub l2: f64,
    /// Of the absolute difference of neighbours' differences, in rows, columns and frames.
    pub edges: f64,
    /// Of the divergence of the posterior from a standard normal distribution, in nats per latent.
    pub kl: f64,
}

impl Default for ReconstructionLoss {
    fn default() -> Self {
        Self { l1: 1.0, l2: 1.0, edges: 1.0, kl: 1e-4 }
    }
}

impl ReconstructionLoss {
    /// The loss of a reconstruction.
    ///
    /// # Shapes
    /// `made` and `frames` `[batch, channels, frames, height, width] -> [1]`
    pub fn of(&self, made: Tensor<5>, frames: Tensor<5>, posterior: &Posterior) -> Tensor<1> {
        let difference = made - frames;
        let kl = kl_divergence(posterior).mul_scalar(self.kl);
        let mut sum = kl;
        let mut add = |weight: f64, part: &dyn Fn() -> Tensor<1>| {
            if weight > 0.0 {
                sum = sum.clone() + part().mul_scalar(weight);
            }
        };
        add(self.l1, &|| difference.clone().abs().mean());
        add(self.l2, &|| difference.clone().square().mean());
        add(self.edges, &|| edges(&difference));
        sum
    }
}

/// Mean absolute difference between neighbours along frames, rows and columns, the three added.
fn edges(x: &Tensor<5>) -> Tensor<1> {
    let sizes = x.dims();
    let along = |axis: usize| {
        let length = sizes[axis];
        let [later, earlier] = [1, 0].map(|start| x.clone().narrow(axis, start, length - 1));
        (later - earlier).abs().mean()
    };
    let axes = (2..5).filter(|axis| sizes[*axis] > 1);
    axes.map(along).reduce(|sum, part| sum + part).unwrap_or_else(|| x.zeros_like().mean())
}

/// Mean over the latents of `(mean^2 + variance - 1 - ln variance) / 2`.
pub fn kl_divergence(posterior: &Posterior) -> Tensor<1> {
    let Posterior { mean, logvar } = posterior.clone();
    (mean.square() + logvar.clone().exp() - logvar - 1.0).mean().mul_scalar(0.5)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use skyreels_core::diffusion::NoiseGenerator;

    use super::*;

    fn posterior(mean: f32, logvar: f32) -> Posterior {
        let device = Device::flex();
        let filled = |value| Tensor::full([1, 2, 1, 1, 1], value, &device);
        Posterior { mean: filled(mean), logvar: filled(logvar) }
    }

    #[test]
    fn the_divergence_of_a_standard_normal_distribution_is_zero_and_of_others_known() {
        let nats = |mean, logvar| kl_divergence(&posterior(mean, logvar)).into_scalar::<f32>();
        assert_eq!(nats(0.0, 0.0), 0.0);
        assert!((nats(2.0, 0.0) - 2.0).abs() < 1e-6);
        assert!((nats(0.0, 1.0) - 0.5 * (1f32.exp() - 2.0)).abs() < 1e-6);
    }

    #[test]
    fn edges_do_not_see_a_constant_and_see_a_checkerboard() {
        let device = Device::flex();
        let flat = Tensor::full([1, 1, 2, 4, 4], 0.7, &device);
        assert_eq!(edges(&flat).into_scalar::<f32>(), 0.0);
        let signs: Vec<f32> = (0..16).map(|i| if (i / 4 + i) % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let board = Tensor::<1>::from_floats(signs.as_slice(), &device).reshape([1, 1, 1, 4, 4]);
        assert_eq!(edges(&board).into_scalar::<f32>(), 4.0, "2 along rows, 2 along columns");
    }

    #[test]
    fn gradients_of_the_loss_are_its_slopes() {
        let device = Device::flex();
        let mut random = NoiseGenerator::new(1);
        let [made, frames] = [0, 1].map(|_| random.normal::<5>([1, 3, 3, 4, 5], &device));
        let loss = ReconstructionLoss::default();
        let of = |made: Tensor<5>| loss.of(made, frames.clone(), &posterior(0.3, -1.0)).into_scalar::<f32>();
        let leaf = made.clone().autodiff().require_grad();
        let lifted =
            Posterior { mean: posterior(0.3, -1.0).mean.autodiff(), logvar: posterior(0.3, -1.0).logvar.autodiff() };
        let value = loss.of(leaf.clone(), frames.clone().autodiff(), &lifted);
        // Along the gradient the slope is its length; kinks of absolute values hardly count.
        let gradient = leaf.grad(&value.backward()).unwrap();
        let slope = gradient.clone().square().sum().sqrt().into_scalar::<f32>();
        let direction = gradient / slope;
        let step = 2e-2;
        let expected = (of(made.clone() + direction.clone() * step) - of(made - direction * step)) / (2.0 * step);
        assert!((slope - expected).abs() < 2e-2 * slope, "{slope} {expected}");
    }
}
