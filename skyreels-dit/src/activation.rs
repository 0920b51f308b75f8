//! The activation of all feed-forward layers.

use burn::tensor::Tensor;

use crate::host;

/// GELU, tanh approximation: one pass where the tensor lies in this process's memory.
pub(crate) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if host::serves(&x.device()) { host::gelu_tanh(x) } else { skyreels_core::nn::gelu_tanh(x) }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, TensorData};

    use super::*;

    #[test]
    fn one_pass_and_tensor_operations_agree_from_end_to_end() {
        // An odd number: the last vector is not full.
        let values: Vec<f32> = (0..40_001).map(|i| (i - 20_000) as f32 * 1e-3).collect();
        let x = Tensor::<1>::from_data(TensorData::new(values, [40_001]), (&Device::flex(), DType::F32));
        let difference = gelu_tanh(x.clone()) - skyreels_core::nn::gelu_tanh(x);
        let difference = difference.abs().max().into_scalar::<f32>();
        assert!(difference < 2e-6, "{difference:e}");
    }

    #[test]
    fn large_inputs_neither_overflow_nor_vanish() {
        let x = Tensor::<1>::from_data([-1e20_f32, -100.0, -0.0, 100.0, 1e20], (&Device::flex(), DType::F32));
        let values: Vec<f32> = gelu_tanh(x).into_data().iter().collect();
        assert_eq!(values[3..], [100.0, 1e20]);
        assert!(values[..3].iter().all(|value| value.abs() < 1e-10), "{values:?}");
    }
}
