//! What training minimises: the distance between what the network says and what it should have said, weighted
//! where the face moves.

mod face_aware;
mod objective;
mod pool;

pub use face_aware::{FaceAware, Reading};
pub use objective::Objective;
pub use pool::latent_weights;
pub(crate) use pool::pooled;

use burn::tensor::Tensor;

/// Mean of `weights (prediction - target)^2` (eq. 8 of the paper), over everything.
///
/// The mean is over elements, not over the sum of the weights: a clip with much motion counts for more.
///
/// # Shapes
/// `prediction` and `target` `[batch, frames, channels, height, width]`, `weights` `[batch, frames, 1 or channels, height, width]`
/// `-> [1]`
///
/// # Panics
/// When the shapes do not fit.
pub fn weighted_mse(prediction: Tensor<5>, target: Tensor<5>, weights: Tensor<5>) -> Tensor<1> {
    ((prediction - target).powi_scalar(2) * weights).mean()
}
