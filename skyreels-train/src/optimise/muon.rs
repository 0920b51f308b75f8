//! Muon on matrices by their keys.

use std::collections::{BTreeMap, BTreeSet};

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdjustLrFn, MuonConfig, Optimizer as _};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::Published;

use super::pattern::{Patterns, matches};
use crate::{Error, Result};

/// Which matrices learn by Muon (Jordan et al., 2024) instead of AdamW; a convolution is a matrix with a row for each of its outputs.
///
/// Steps are as large as AdamW's (`0.2 sqrt(max(rows, columns))`, Liu et al., 2025, arXiv 2502.16982), so that one learning rate and
/// one weight decay serve both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MuonSettings {
    /// Patterns of the matrices' keys; by default all matrices of the transformer's blocks.
    pub keys: Vec<String>,
    /// Decay of the velocity.
    pub momentum: f64,
}

impl Default for MuonSettings {
    fn default() -> Self {
        let key = |layer: &str| format!("transformer.transformer_blocks.*.{layer}.weight");
        let layers = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2"];
        Self { keys: layers.map(key).to_vec(), momentum: 0.95 }
    }
}

impl MuonSettings {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::invalid("muon", format!("momentum is {}, not in 0..1", self.momentum)));
        }
        Ok(())
    }
}

/// The matrices and their velocities, flat f32 in the stored layout.
///
/// Burn orthogonalises and scales; the velocity is kept here, because Burn's cannot be read and so not be saved.
#[derive(Clone)]
pub struct Muon {
    momentum: f64,
    rule: burn::optim::Muon,
    sizes: BTreeMap<String, [usize; 2]>,
    velocities: BTreeMap<String, Tensor<1>>,
}

/// What stands behind a key in the saved state.
const VELOCITY: &str = ".momentum_buffer";

impl Muon {
    /// For those matrices among `trained` that the settings name.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a pattern that means nothing that is trained, or a vector.
    pub fn new<M: Published>(
        module: &M,
        trained: &BTreeSet<String>,
        settings: &MuonSettings,
        weight_decay: f32,
    ) -> Result<Self> {
        settings.validate()?;
        for pattern in &settings.keys {
            if !trained.iter().any(|key| matches(pattern, key)) {
                return Err(Error::invalid("muon", format!("`{pattern}` means no parameter that is trained")));
            }
        }
        let meant = Patterns { train: settings.keys.clone(), freeze: Vec::new() };
        let mut sizes = BTreeMap::new();
        for (key, shape) in module.published_shapes() {
            if trained.contains(&key) && meant.contains(&key) {
                let [rows, columns @ ..] = shape.as_slice() else { continue };
                if columns.is_empty() {
                    return Err(Error::invalid("muon", format!("`{key}` is a vector; narrow `keys`")));
                }
                sizes.insert(key, [*rows, columns.iter().product()]);
            }
        }
        let still = MomentumConfig { momentum: 0.0, dampening: 0.0, nesterov: false };
        let rule = MuonConfig::new()
            .with_momentum(still)
            .with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW)
            .with_weight_decay(Some(WeightDecayConfig::new(weight_decay)));
        Ok(Self { momentum: settings.momentum, rule: rule.build(), sizes, velocities: BTreeMap::new() })
    }

    /// The next value of a matrix; `None` for everything else.
    pub(super) fn advance(
        &mut self,
        key: &str,
        value: &Tensor<1>,
        gradient: &Tensor<1>,
        learning_rate: f64,
    ) -> Option<Tensor<1>> {
        let size = *self.sizes.get(key)?;
        let velocity = match self.velocities.remove(key) {
            Some(velocity) => velocity.mul_scalar(self.momentum) + gradient.clone(),
            None => gradient.clone(),
        };
        // Nesterov's look ahead.
        let ahead = gradient.clone() + velocity.clone().mul_scalar(self.momentum);
        self.velocities.insert(key.to_string(), velocity);
        let matrix = |flat: Tensor<1>| flat.reshape(size);
        let (value, _) = self.rule.step(learning_rate, matrix(value.clone()), matrix(ahead), None);
        Some(value.flatten(0, 1))
    }

    /// Velocities by key.
    pub(super) fn state(&self) -> impl Iterator<Item = (String, Tensor<1>)> {
        self.velocities.iter().map(|(key, velocity)| (format!("{key}{VELOCITY}"), velocity.clone()))
    }

    /// Takes saved velocities out of `tensors`.
    pub(super) fn restore(&mut self, tensors: &mut BTreeMap<String, Tensor<1>>) {
        for key in self.sizes.keys() {
            if let Some(velocity) = tensors.remove(&format!("{key}{VELOCITY}")) {
                self.velocities.insert(key.clone(), velocity);
            }
        }
    }

    /// Velocities that are kept.
    pub(super) fn velocities(&self) -> impl Iterator<Item = &Tensor<1>> {
        self.velocities.values()
    }
}
