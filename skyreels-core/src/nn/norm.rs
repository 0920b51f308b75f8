//! Layer normalisation in f32.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{DType, Device, Tensor};

/// Normalisation over the last axis with learned scale and shift.
///
/// Statistics, scale and shift are f32; the result has the type of the input. The parameters
/// are kept in f32 whatever the precision of the model.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// Scale, `[width]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[width]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    epsilon: f64,
}

impl LayerNorm {
    /// Scale one, shift zero.
    pub fn new(width: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: Initializer::Zeros.init([width], device),
            epsilon,
        }
    }

    /// Normalises the last axis.
    ///
    /// # Shapes
    /// `[.., width] -> [.., width]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dtype = x.dtype();
        burn::tensor::module::layer_norm(x.cast(DType::F32), self.weight.val(), Some(self.bias.val()), self.epsilon)
            .cast(dtype)
    }
}
