//! `scheduler/scheduler_config.json`.

use serde::Deserialize;

use crate::{Error, Result};

/// What the network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The velocity `v = sqrt(a) noise - sqrt(1 - a) x0` (Salimans and Ho, 2022).
    #[serde(rename = "v_prediction")]
    Velocity,
    /// The noise.
    Epsilon,
    /// The clean sample.
    Sample,
}

/// How the steps of a run are spread over the training timesteps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// `round(T - k T / N) - 1`: begins at the last timestep, where no signal is left.
    Trailing,
    /// `k (T / N)` with integer division, plus an offset.
    Leading,
    /// Both ends included.
    Linspace,
}

/// How beta grows with the timestep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// Linear in the square root of beta.
    ScaledLinear,
    /// Linear in beta.
    Linear,
}

/// The published scheduler configuration. Every field must be in the file: the defaults of the
/// original's class are wrong for this model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SchedulerConfig {
    /// Number of training timesteps, `T`.
    pub num_train_timesteps: usize,
    /// Beta of the first timestep, before rescaling.
    pub beta_start: f64,
    /// Beta of the last timestep, before rescaling.
    pub beta_end: f64,
    /// Growth of beta between them.
    pub beta_schedule: BetaSchedule,
    /// What the network predicts.
    pub prediction_type: Prediction,
    /// Whether the last timestep is pure noise.
    pub rescale_betas_zero_snr: bool,
    /// Shift of the signal-to-noise ratio; 1 leaves it alone.
    pub snr_shift_scale: f64,
    /// Spread of the steps of a run.
    pub timestep_spacing: Spacing,
    /// Offset of leading spacing.
    pub steps_offset: usize,
    /// Whether the step after the last ends at the clean sample.
    pub set_alpha_to_one: bool,
    /// Whether predictions are clipped to [-1, 1]; only `false` is meaningful for latents.
    pub clip_sample: bool,
}

impl SchedulerConfig {
    /// Checks every value once.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field and what is accepted.
    pub fn validate(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::invalid("scheduler config", reason));
        if self.num_train_timesteps < 2 {
            return wrong(format!("num_train_timesteps is {}, at least 2 is needed", self.num_train_timesteps));
        }
        let ordered = 0.0 < self.beta_start && self.beta_start <= self.beta_end && self.beta_end < 1.0;
        if !ordered {
            return wrong(format!(
                "0 < beta_start <= beta_end < 1 must hold, not {} and {}",
                self.beta_start, self.beta_end
            ));
        }
        if !(self.snr_shift_scale > 0.0 && self.snr_shift_scale.is_finite()) {
            return wrong(format!("snr_shift_scale is {}, it must be positive", self.snr_shift_scale));
        }
        if self.clip_sample {
            return wrong("clip_sample is true, which latents do not survive; set it to false".into());
        }
        Ok(())
    }
}
