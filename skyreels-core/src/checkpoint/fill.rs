//! Weights made from numbers instead of a file.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Tensor, TensorData};

use super::keys::{KeyPath, Published, stored_shape};
use crate::Precision;

/// Gives every parameter of `module` the values that `values(key, shape)` returns, row-major in
/// the stored shape. For random models, tests and benchmarks that must know their weights.
///
/// # Panics
/// When `values` returns another number of values than the shape holds.
pub fn fill<M: Published>(module: M, precision: Precision, values: impl FnMut(&str, &[usize]) -> Vec<f32>) -> M {
    module.map(&mut Filler { path: KeyPath::new(M::RENAMED), dtype: precision.dtype(), values })
}

struct Filler<F> {
    path: KeyPath,
    dtype: DType,
    values: F,
}

impl<F: FnMut(&str, &[usize]) -> Vec<f32>> ModuleMapper for Filler<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = stored_shape(&param);
        let values = (self.values)(&self.path.key(), &shape);
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values for {}", self.path.key());
        let dtype = if self.path.in_norm() { DType::F32 } else { self.dtype };
        let tensor = Tensor::from_data(TensorData::new(values, shape), (&param.lazy_device(), dtype));
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
