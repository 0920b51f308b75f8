//! The learning rate over the steps of a stage.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Learning rate: a straight warm-up, then constant or along half a cosine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearningRate {
    /// The rate after the warm-up.
    pub peak: f64,
    /// Steps of the warm-up; the first step has `peak / warmup`.
    #[serde(default)]
    pub warmup: u64,
    /// What follows.
    #[serde(default)]
    pub decay: Decay,
}

/// What follows the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// The peak until the end.
    #[default]
    Constant,
    /// Half a cosine from the peak to a share of it at the last step.
    Cosine {
        /// The share at the end.
        floor: f64,
    },
}

impl LearningRate {
    /// The same rate at every step.
    pub fn constant(peak: f64) -> Self {
        Self { peak, warmup: 0, decay: Decay::Constant }
    }

    /// The rate of a step, counted from 0, in a stage of `steps`.
    pub fn at(&self, step: u64, steps: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        match self.decay {
            Decay::Constant => self.peak,
            Decay::Cosine { floor } => {
                let length = steps.saturating_sub(self.warmup + 1).max(1);
                let share = ((step - self.warmup) as f64 / length as f64).min(1.0);
                self.peak * (floor + (1.0 - floor) * (1.0 + (PI * share).cos()) / 2.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_straight_to_the_peak_and_falls_to_the_floor_at_the_last_step() {
        let rate = LearningRate { peak: 2.0, warmup: 4, decay: Decay::Cosine { floor: 0.1 } };
        assert_eq!([0, 1, 3, 4].map(|step| rate.at(step, 15)), [0.5, 1.0, 2.0, 2.0]);
        assert!((rate.at(9, 15) - 1.1).abs() < 1e-12, "half way");
        assert!((rate.at(14, 15) - 0.2).abs() < 1e-12);
        assert_eq!(rate.at(99, 15), rate.at(14, 15));
        assert_eq!(LearningRate::constant(3.0).at(7, 10), 3.0);
    }

    #[test]
    fn a_warm_up_as_long_as_the_stage_is_all_there_is() {
        let rate = LearningRate { peak: 1.0, warmup: 10, decay: Decay::Cosine { floor: 0.0 } };
        assert_eq!(rate.at(9, 10), 1.0);
    }
}
