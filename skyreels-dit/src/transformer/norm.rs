//! The norms of blocks and output, whose scale and shift a configuration may leave out.

use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn::LayerNorm;

use super::config::TransformerConfig;

/// Scale and shift of a norm over the last axis of `config.width()`; `None` without
/// `norm_elementwise_affine`. An option, so that nothing stands between field and checkpoint key.
pub(super) type MaybeAffine = Option<LayerNorm>;

/// The norm of a configuration.
pub(super) fn norm(config: &TransformerConfig, device: &Device) -> MaybeAffine {
    config.norm_elementwise_affine.then(|| LayerNorm::new(config.width(), config.norm_eps, device))
}

/// Normalises the last axis in f32; the result has the type of the input.
///
/// # Shapes
/// `[.., width]` in and out.
pub(super) fn normalise<const D: usize>(norm: &MaybeAffine, epsilon: f64, x: Tensor<D>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(x),
        None => {
            let dtype = x.dtype();
            let one = Tensor::ones([x.dims()[D - 1]], (&x.device(), DType::F32));
            burn::tensor::module::layer_norm(x.cast(DType::F32), one, None, epsilon).cast(dtype)
        }
    }
}
