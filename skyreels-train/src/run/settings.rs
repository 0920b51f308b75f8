//! Settings of a run.

use serde::{Deserialize, Serialize};

use crate::stage::Stage;
use crate::{Error, Result};

/// What a run does, and how often it says and saves something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Seed of the order of the data and of all noise.
    #[serde(default)]
    pub seed: u64,
    /// The stages, one after the other; each with an optimiser of its own.
    pub stages: Vec<Stage>,
    /// Steps between checkpoints; there is always one at the end of a stage.
    #[serde(default = "hundreds")]
    pub checkpoint_every: u64,
    /// Checkpoints that are kept: the newest ones.
    #[serde(default = "few")]
    pub keep: usize,
    /// Steps between looks at the held-out examples; 0 never looks.
    #[serde(default = "hundreds")]
    pub validate_every: u64,
    /// Parts of a batch that one device computes at the same time, each with its own graph. A CPU gains by as many as it has
    /// cores, because much of a small network runs on one; a card by 1. The last digits of sums depend on it.
    #[serde(default = "one")]
    pub parts: usize,
    /// Floating-point operations a second of which the device is capable, for the utilisation in the log.
    #[serde(default)]
    pub peak_flops: Option<f64>,
}

fn hundreds() -> u64 {
    500
}

fn few() -> usize {
    2
}

fn one() -> usize {
    1
}

impl RunSettings {
    /// A run with the defaults of everything that has one.
    pub fn new(seed: u64, stages: Vec<Stage>) -> Self {
        Self {
            seed,
            stages,
            checkpoint_every: hundreds(),
            keep: few(),
            validate_every: hundreds(),
            parts: one(),
            peak_flops: None,
        }
    }

    /// Checks the run and its stages.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        if self.stages.is_empty() {
            return Err(Error::invalid("stages", "there is none; a run needs at least one"));
        }
        if self.checkpoint_every == 0 || self.keep == 0 {
            return Err(Error::invalid("checkpoint_every and keep", "they must be at least 1"));
        }
        if self.parts == 0 {
            return Err(Error::invalid("parts", "it must be at least 1"));
        }
        self.stages.iter().try_for_each(Stage::validate)
    }
}
