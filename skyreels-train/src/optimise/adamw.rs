//! AdamW on keyed parameters.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{DType, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{Key, Published, PublishedMapper};

use super::gradients::Gradients;
use super::muon::Muon;
use super::trained::{flat, with_flat};
use crate::{Error, Result};

/// Settings of AdamW; the defaults are PyTorch's, the paper names none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWSettings {
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Share of the learning rate by which parameters shrink in a step, norms and biases included.
    pub weight_decay: f32,
}

impl Default for AdamWSettings {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 1e-2 }
    }
}

/// Burn's AdamW with a state by key, Muon for chosen matrices, and f32 masters of parameters that are kept in fewer bits.
///
/// The arithmetic is Burn's. Its module optimiser is not used, because that finds states by identities that a loaded model does not have
/// and puts them on the default device first.
#[derive(Clone)]
pub struct Optimizer {
    adamw: AdamW,
    muon: Option<Muon>,
    states: BTreeMap<String, AdamWState<1>>,
    masters: BTreeMap<String, Tensor<1>>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer").field("states", &self.states.len()).field("masters", &self.masters.len()).finish()
    }
}

/// What stands behind a key in the saved state.
const FIRST: &str = ".exp_avg";
const SECOND: &str = ".exp_avg_sq";
const TIME: &str = ".step";

impl Optimizer {
    /// An optimiser that has seen no step.
    pub fn new(settings: &AdamWSettings) -> Self {
        let config = AdamWConfig::new()
            .with_beta_1(settings.beta_1)
            .with_beta_2(settings.beta_2)
            .with_epsilon(settings.epsilon)
            .with_weight_decay(settings.weight_decay);
        Self { adamw: config.build(), muon: None, states: BTreeMap::new(), masters: BTreeMap::new() }
    }

    /// Chosen matrices learn by Muon.
    #[must_use]
    pub fn with_muon(mut self, muon: Option<Muon>) -> Self {
        self.muon = muon;
        self
    }

    /// One step on every parameter that has a gradient; the others are left as they are, to the byte.
    pub fn step<M: Published>(&mut self, module: M, gradients: Gradients, learning_rate: f64) -> M {
        module.map_published(&mut Step { optimizer: self, gradients, learning_rate })
    }

    /// The next value of a parameter, f32 as its gradient, wherever it is kept.
    pub(super) fn advance(
        &mut self,
        key: &str,
        value: Tensor<1>,
        gradient: Tensor<1>,
        learning_rate: f64,
    ) -> Tensor<1> {
        let gradient = gradient.to_device(&value.device());
        let muon = self.muon.as_mut();
        if let Some(value) = muon.and_then(|muon| muon.advance(key, &value, &gradient, learning_rate)) {
            return value;
        }
        let (value, state) = self.adamw.step(learning_rate, value, gradient, self.states.remove(key));
        if let Some(state) = state {
            self.states.insert(key.to_string(), state);
        }
        value
    }

    /// Moments and steps, flat f32 tensors by key.
    pub fn state(&self) -> BTreeMap<String, Tensor<1>> {
        let mut tensors = BTreeMap::new();
        for (key, AdamWState { momentum }) in &self.states {
            let device = momentum.moment_1.device();
            let time = Tensor::from_data(TensorData::new(vec![momentum.time as f32], [1]), (&device, DType::F32));
            tensors.insert(format!("{key}{FIRST}"), momentum.moment_1.clone());
            tensors.insert(format!("{key}{SECOND}"), momentum.moment_2.clone());
            tensors.insert(format!("{key}{TIME}"), time);
        }
        tensors.extend(self.muon.iter().flat_map(Muon::state));
        tensors
    }

    /// Goes on from a saved state.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a moment is missing.
    pub fn with_state(mut self, mut tensors: BTreeMap<String, Tensor<1>>) -> Result<Self> {
        let keys: Vec<String> = tensors.keys().filter_map(|key| key.strip_suffix(TIME)).map(str::to_string).collect();
        for key in keys {
            let mut take = |part: &str| {
                let name = format!("{key}{part}");
                tensors.remove(&name).ok_or_else(|| {
                    Error::invalid("optimiser state", format!("`{name}` is missing; resume from another checkpoint"))
                })
            };
            let (moment_1, moment_2) = (take(FIRST)?, take(SECOND)?);
            let time = take(TIME)?.into_scalar::<f32>() as usize;
            let momentum = AdaptiveMomentumState { time, moment_1, moment_2, max_moment_2: None };
            self.states.insert(key, AdamWState { momentum });
        }
        if let Some(muon) = &mut self.muon {
            muon.restore(&mut tensors);
        }
        Ok(self)
    }

    /// f32 values of parameters that the model has in fewer bits.
    pub(crate) fn masters(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.masters
    }

    /// Takes over f32 values of parameters that the model has in fewer bits.
    pub(crate) fn set_masters(&mut self, masters: BTreeMap<String, Tensor<1>>) {
        self.masters = masters;
    }

    /// Numbers that are kept beside the parameters.
    pub fn state_bytes(&self) -> usize {
        let numbers = |tensor: &Tensor<1>| 4 * tensor.shape().num_elements();
        let states: usize = self.states.values().map(|state| 2 * numbers(&state.momentum.moment_1)).sum();
        let velocities = self.muon.iter().flat_map(Muon::velocities);
        states + velocities.chain(self.masters.values()).map(numbers).sum::<usize>()
    }
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    gradients: Gradients,
    learning_rate: f64,
}

impl PublishedMapper for Step<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = key.as_str();
        let Some(gradient) = self.gradients.take(key) else { return param };
        let optimizer = &mut *self.optimizer;
        let reduced = param.val().dtype() != DType::F32;
        let value = match optimizer.masters.remove(key) {
            Some(master) => master,
            None => flat(&param).cast(DType::F32),
        };
        let value = optimizer.advance(key, value, gradient, self.learning_rate);
        if reduced {
            optimizer.masters.insert(key.to_string(), value.clone());
        }
        with_flat(param, value)
    }
}
