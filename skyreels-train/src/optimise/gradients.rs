//! Gradients by key.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Param, ParamId};
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor, as_stored};

/// Gradients of parameters, each flat in the stored layout, f32.
#[derive(Debug, Clone, Default)]
pub struct Gradients {
    by_key: BTreeMap<String, Tensor<1>>,
}

impl Gradients {
    /// The gradients that a backward pass has found for the parameters of `module`.
    pub fn collect<M: Published>(module: &M, gradients: &burn::tensor::Gradients) -> Self {
        let mut collector = Collector { prefix: "", gradients, found: BTreeMap::new() };
        module.visit_published(&mut collector);
        Self { by_key: collector.found }
    }

    /// The same for a part of the model, whose keys begin with `prefix` and a point.
    pub(crate) fn collect_prefixed<M: Published>(
        prefix: &'static str,
        module: &M,
        gradients: &burn::tensor::Gradients,
    ) -> Self {
        let mut collector = Collector { prefix, gradients, found: BTreeMap::new() };
        module.visit_published(&mut collector);
        Self { by_key: collector.found }
    }

    /// Gradients that were found by hand, each flat in the stored layout, under the keys that the parameters have in `module`.
    pub(crate) fn named<M: Published>(module: &M, found: Vec<(ParamId, Tensor<1>)>) -> Self {
        let mut keys = Keys::default();
        module.visit_published(&mut keys);
        let named = |(id, gradient): (ParamId, Tensor<1>)| Some((keys.0.get(&id)?.clone(), gradient.cast(DType::F32)));
        Self { by_key: found.into_iter().filter_map(named).collect() }
    }

    pub(crate) fn from_map(by_key: BTreeMap<String, Tensor<1>>) -> Self {
        Self { by_key }
    }

    /// Adds other gradients; those of keys that are not here yet are taken over.
    pub fn add(&mut self, other: Self) {
        for (key, gradient) in other.by_key {
            let sum = match self.by_key.remove(&key) {
                Some(own) => own + gradient,
                None => gradient,
            };
            self.by_key.insert(key, sum);
        }
    }

    /// The gradient of a key, flat in the stored layout.
    pub fn get(&self, key: &str) -> Option<Tensor<1>> {
        self.by_key.get(key).cloned()
    }

    /// Keys in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.by_key.keys().map(String::as_str)
    }

    /// Root of the sum of all squares.
    pub fn norm(&self) -> f64 {
        let squares: Vec<Tensor<1>> = self.by_key.values().map(|gradient| gradient.clone().square().sum()).collect();
        if squares.is_empty() {
            return 0.0;
        }
        // One read, however many parameters; summed in f64.
        let squares: Vec<f32> = Tensor::cat(squares, 0).into_data().iter().collect();
        squares.into_iter().map(f64::from).sum::<f64>().sqrt()
    }

    /// Multiplies every gradient.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { by_key: self.by_key.into_iter().map(|(key, gradient)| (key, gradient.mul_scalar(factor))).collect() }
    }

    /// Scales all gradients together so that their norm is at most `most`; returns the norm that they had.
    pub fn clip(&mut self, most: f64) -> f64 {
        let norm = self.norm();
        if norm > most {
            *self = std::mem::take(self).scaled(most / norm);
        }
        norm
    }

    /// Moves every gradient.
    #[must_use]
    pub(crate) fn moved(self, device: &Device) -> Self {
        Self { by_key: self.by_key.into_iter().map(|(key, gradient)| (key, gradient.to_device(device))).collect() }
    }

    /// Sums over devices, each of which calls this on a thread of its own with gradients of the same keys; every one gets the sums.
    #[must_use]
    pub(crate) fn all_reduced(self, devices: &[Device]) -> Self {
        let sum = |gradient| all_reduce(gradient, ReduceOperation::Sum, devices.to_vec()).resolve();
        Self { by_key: self.by_key.into_iter().map(|(key, gradient)| (key, sum(gradient))).collect() }
    }

    pub(super) fn insert(&mut self, key: String, gradient: Tensor<1>) {
        self.by_key.insert(key, gradient);
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Tensor<1>> {
        self.by_key.remove(key)
    }
}

struct Collector<'a> {
    prefix: &'static str,
    gradients: &'a burn::tensor::Gradients,
    found: BTreeMap<String, Tensor<1>>,
}

impl PublishedVisitor for Collector<'_> {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        if !param.is_initialized() || !param.is_require_grad() {
            return;
        }
        if let Some(gradient) = param.val().grad(self.gradients) {
            let key = match self.prefix {
                "" => key.as_str().to_string(),
                prefix => format!("{prefix}.{}", key.as_str()),
            };
            let count = gradient.shape().num_elements();
            self.found.insert(key, as_stored(param, gradient).reshape([count]).cast(DType::F32));
        }
    }
}

/// Keys of the parameters that are trained, by identity.
#[derive(Default)]
pub(super) struct Keys(pub HashMap<ParamId, String>);

impl PublishedVisitor for Keys {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0.insert(param.id, key.as_str().to_string());
        }
    }
}
