//! Kernels in this process's memory, for backends that have their tensors there.
//!
//! Burn's CPU backend multiplies matrices well; what stands between the products (exponentials,
//! rotations, gates) it does one number, one thread and one pass at a time. These kernels do the
//! same mathematics in vectors, on all cores, in one pass. They are used only without autodiff:
//! everything here has a counterpart of tensor operations.

mod attention;
mod attention_gradients;
mod gelu;
mod lanes;
mod products;
mod rotary;
mod rows;

pub(crate) use attention::tiled_attention;
pub(crate) use attention_gradients::tiled_attention_gradients;
pub(crate) use gelu::{gelu_tanh, gelu_tanh_tangent};
pub(crate) use rotary::rotate;
pub(crate) use rows::{gate_rows, gate_rows_gradients, norm_rows, norm_rows_gradients};

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::device::Backend;

/// True when tensors of `device` lie in this process's memory, nobody asks for gradients, and the
/// processor has vectors to gain from.
pub(crate) fn serves(device: &Device) -> bool {
    !device.is_autodiff() && fast() && Backend::of(device).is_host()
}

/// True when the processor has vectors that this build knows; without them, Burn's own matrix
/// products are faster than the tiles.
pub(crate) fn fast() -> bool {
    lanes::available()
}

/// The elements of a tensor as f32; no copy when the tensor is f32, contiguous and not shared.
fn elements<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.cast(DType::F32).into_data().try_into_vec().expect("the tensor was just cast to f32")
}

/// A tensor of `dtype` from f32 elements.
fn tensor<const D: usize>(elements: Vec<f32>, shape: [usize; D], dtype: DType, device: &Device) -> Tensor<D> {
    Tensor::<D>::from_data(TensorData::new(elements, shape), (device, DType::F32)).cast(dtype)
}
