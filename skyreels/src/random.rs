//! Random weights, made where they are used.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::tensor::{DType, Distribution, Tensor};
use skyreels_core::Precision;
use skyreels_core::checkpoint::{Key, Published, PublishedMapper};

/// Gives every parameter random values, drawn on its own device: weights normal with variance `1 / fan_in`, norms the
/// identity, biases zero. For timing a network of any size without its checkpoint; which values they are depends on the
/// device. (A checkpoint whose bytes are the same everywhere is written by [`Preset`](crate::Preset).)
pub fn random_weights<M: Published>(module: M, precision: Precision) -> M {
    let shapes = module.published_shapes();
    module.map_published(&mut Random { shapes, dtype: precision.dtype() })
}

struct Random {
    shapes: BTreeMap<String, Vec<usize>>,
    dtype: DType,
}

impl PublishedMapper for Random {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(shape) = self.shapes.get(key.as_str()) else { return param };
        let shape: [usize; D] = shape.as_slice().try_into().expect("a parameter has as many axes as its shape");
        let device = param.lazy_device();
        let dtype = if key.is_norm() { DType::F32 } else { self.dtype };
        let tensor = match shape[..] {
            [_] if key.as_str().ends_with(".bias") => Tensor::zeros(shape, (&device, dtype)),
            [_] => Tensor::ones(shape, (&device, dtype)),
            _ => {
                let fan_in: usize = shape[1..].iter().product();
                let normal = Distribution::Normal(0.0, (fan_in as f64).sqrt().recip());
                Tensor::<D>::random(shape, normal, (&device, DType::F32)).cast(dtype)
            }
        };
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}
