//! Weights made from numbers instead of a file.

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};

use super::keys::{Key, Published, PublishedMapper, stored_shape};
use crate::Precision;
use crate::diffusion::NoiseGenerator;
use crate::hash::fnv1a;

/// Gives every parameter of `module` the values that `values(key, shape)` returns, row-major in
/// the stored shape. For random models, tests and benchmarks that must know their weights.
///
/// # Panics
/// When `values` returns another number of values than the shape holds.
pub fn fill<M: Published>(module: M, precision: Precision, values: impl FnMut(&str, &[usize]) -> Vec<f32>) -> M {
    module.map_published(&mut Filler { dtype: precision.dtype(), values })
}

/// Values with which a parameter can begin: weights normal with variance `1 / fan_in`, so that activations keep their scale,
/// norms the identity, biases zero. They depend on the seed and the key alone, and are the same on every machine.
pub fn initial_values(seed: u64, key: &str, shape: &[usize]) -> Vec<f32> {
    let count = shape.iter().product();
    match shape {
        [_] if key.ends_with(".bias") => vec![0.0; count],
        [_] => vec![1.0; count],
        _ => {
            let fan_in: usize = shape[1..].iter().product();
            let scale = (fan_in as f32).sqrt().recip();
            let mut random = NoiseGenerator::new(seed ^ fnv1a(key.bytes()));
            random.normal_values(count).into_iter().map(|value| value * scale).collect()
        }
    }
}

struct Filler<F> {
    dtype: DType,
    values: F,
}

impl<F: FnMut(&str, &[usize]) -> Vec<f32>> PublishedMapper for Filler<F> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = stored_shape(&param);
        let values = (self.values)(key.as_str(), &shape);
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values for {}", key.as_str());
        let dtype = if key.is_norm() { DType::F32 } else { self.dtype };
        let tensor = Tensor::from_data(TensorData::new(values, shape), (&param.lazy_device(), dtype));
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
