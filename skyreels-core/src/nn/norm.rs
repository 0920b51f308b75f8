//! Layer and group normalisation in f32.

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

/// Normalisation of groups of channels over all other axes, with learned scale and shift.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// Scale, `[channels]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[channels]`.
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    groups: usize,
    #[module(skip)]
    epsilon: f64,
}

impl GroupNorm {
    /// Scale one, shift zero. `groups` must divide `channels`.
    pub fn new(groups: usize, channels: usize, epsilon: f64, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            groups,
            epsilon,
        }
    }

    /// Normalises each group over its channels and all positions.
    ///
    /// # Shapes
    /// `[batch, channels, frames, height, width]` in and out.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let dtype = x.dtype();
        let [batch, channels, frames, height, width] = x.dims();
        let positions = frames * height * width;
        let x = x.cast(DType::F32).reshape([batch, self.groups, channels / self.groups * positions]);
        let mean = x.clone().mean_dim(2);
        let centred = x - mean;
        let variance = centred.clone().powi_scalar(2).mean_dim(2);
        let scale = variance.add_scalar(self.epsilon).sqrt().recip();
        let x = (centred * scale).reshape([batch, channels, positions]);
        let weight = self.weight.val().reshape([1, channels, 1]);
        let bias = self.bias.val().reshape([1, channels, 1]);
        (x * weight + bias).reshape([batch, channels, frames, height, width]).cast(dtype)
    }
}
