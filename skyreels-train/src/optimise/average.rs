//! An exponential moving average of the trained parameters.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;
use skyreels_core::checkpoint::Published;

use super::trained::{overwrite, values};

/// `average = decay average + (1 - decay) value` after every step, in f32.
///
/// The decay grows with the steps, `min(decay, (1 + n) / (10 + n))` as in TensorFlow's `ExponentialMovingAverage`, so that the
/// beginning does not stay in it.
#[derive(Debug, Clone)]
pub struct Average {
    decay: f64,
    steps: u64,
    values: BTreeMap<String, Tensor<1>>,
}

impl Average {
    /// An average that begins at the present values of these keys.
    pub fn new<M: Published>(decay: f64, module: &M, keys: &BTreeSet<String>) -> Self {
        Self { decay, steps: 0, values: values(module, keys) }
    }

    /// The same of values that are not in the model: factors of a LoRA.
    #[must_use]
    pub(crate) fn and(mut self, others: &BTreeMap<String, Tensor<1>>) -> Self {
        self.values.extend(others.iter().map(|(key, value)| (key.clone(), value.clone())));
        self
    }

    /// An average that goes on.
    pub(crate) fn restored(decay: f64, steps: u64, values: BTreeMap<String, Tensor<1>>) -> Self {
        Self { decay, steps, values }
    }

    /// Takes over the values after a step; `kept` are those that the model has in fewer bits, or has not.
    pub(crate) fn update<M: Published>(&mut self, module: &M, mut kept: BTreeMap<String, Tensor<1>>) {
        self.steps += 1;
        let n = self.steps as f64;
        let decay = self.decay.min((1.0 + n) / (10.0 + n));
        let keys = self.values.keys().filter(|key| !kept.contains_key(*key)).cloned().collect();
        kept.extend(values(module, &keys));
        for (key, average) in &mut self.values {
            if let Some(value) = kept.remove(key) {
                *average = average.clone().mul_scalar(decay) + value.mul_scalar(1.0 - decay);
            }
        }
    }

    /// The model with the average in the place of its values.
    pub fn apply<M: Published>(&self, module: M) -> M {
        overwrite(module, &self.values)
    }

    /// Steps that it has seen.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }
}
