//! Weights made from numbers instead of a file.

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};

use super::keys::{Key, Published, PublishedMapper, stored_shape};
use crate::Precision;

/// Gives every parameter of `module` the values that `values(key, shape)` returns, row-major in
/// the stored shape. For random models, tests and benchmarks that must know their weights.
///
/// # Panics
/// When `values` returns another number of values than the shape holds.
pub fn fill<M: Published>(module: M, precision: Precision, values: impl FnMut(&str, &[usize]) -> Vec<f32>) -> M {
    module.map_published(&mut Filler { dtype: precision.dtype(), values })
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
