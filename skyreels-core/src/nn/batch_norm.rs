//! Batch normalisation as a trained network uses it.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Device, Tensor};

/// Scale and shift of each channel by statistics that are part of the checkpoint.
///
/// `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, in f32; the result has the type of the input.
/// Statistics are never updated: this is for networks that are used, not trained. (The
/// `num_batches_tracked` that PyTorch stores beside them means nothing here.)
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub bias: Param<Tensor<1>>,
    /// Mean of the training data, `[channels]`.
    pub running_mean: Param<Tensor<1>>,
    /// Variance of the training data, `[channels]`.
    pub running_var: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl BatchNorm {
    /// Scale and variance one, shift and mean zero.
    pub fn new(channels: usize, epsilon: f64, device: &Device) -> Self {
        let one = || Initializer::Ones.init([channels], device);
        let zero = || Initializer::Zeros.init([channels], device);
        Self { weight: one(), bias: zero(), running_mean: zero(), running_var: one(), epsilon }
    }

    /// Normalises axis 1.
    ///
    /// # Shapes
    /// `[batch, channels, ..] -> [batch, channels, ..]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        let scale = self.weight.val() / self.running_var.val().add_scalar(self.epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        let mut shape = [1; D];
        shape[1] = scale.dims()[0];
        (x.cast(DType::F32) * scale.reshape(shape) + shift.reshape(shape)).cast(dtype)
    }
}
