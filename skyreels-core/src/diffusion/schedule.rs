//! The noise schedule: how much signal is left at each timestep, and which timesteps a run visits.

use burn::tensor::{DType, Tensor, TensorData};

use super::config::{BetaSchedule, Prediction, SchedulerConfig, Spacing};
use crate::{Error, Result};

/// Tables of the CogVideoX schedule, in f64.
///
/// Source: `scheduling_ddim_cogvideox.py` of the original; zero terminal SNR after Lin et al.,
/// 2023 (arXiv 2305.08891).
#[derive(Debug, Clone)]
pub struct Schedule {
    config: SchedulerConfig,
    betas: Vec<f64>,
    alphas_cumprod: Vec<f64>,
}

impl Schedule {
    /// Computes the tables.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a configuration that cannot be used.
    pub fn new(config: &SchedulerConfig) -> Result<Self> {
        config.validate()?;
        let betas = betas(config);
        let mut product = 1.0;
        let mut alphas: Vec<f64> = betas
            .iter()
            .map(|beta| {
                product *= 1.0 - beta;
                product / (config.snr_shift_scale + (1.0 - config.snr_shift_scale) * product)
            })
            .collect();
        if config.rescale_betas_zero_snr {
            rescale_to_zero_terminal_snr(&mut alphas);
        }
        Ok(Self { config: config.clone(), betas, alphas_cumprod: alphas })
    }

    /// The configuration the tables were made from.
    pub fn config(&self) -> &SchedulerConfig {
        &self.config
    }

    /// Beta of every training timestep, before rescaling.
    pub fn betas(&self) -> &[f64] {
        &self.betas
    }

    /// Share of signal left at every training timestep, `[num_train_timesteps]`.
    pub fn alphas_cumprod(&self) -> &[f64] {
        &self.alphas_cumprod
    }

    /// Share of signal at `timestep`; a negative one is the end of the run.
    ///
    /// # Panics
    /// When `timestep` is not below the number of training timesteps. Those of [`timesteps`](Self::timesteps) are.
    pub fn alpha(&self, timestep: i64) -> f64 {
        match usize::try_from(timestep) {
            Ok(timestep) => self.alphas_cumprod[timestep],
            Err(_) if self.config.set_alpha_to_one => 1.0,
            Err(_) => self.alphas_cumprod[0],
        }
    }

    /// The timesteps that a run of `steps` steps visits, in order.
    ///
    /// Trailing spacing rounds as the original does, which adds up NumPy's increments: at 48 steps the fourth timestep
    /// is 936 where exact arithmetic has 937. One thing of the original is left out: for some counts (of the published
    /// schedule 62, among them 61, 103 and 121) the same rounding gives it one more timestep, -1, at which nothing is
    /// defined; here a run has the steps that were asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `steps` is 0 or exceeds the training timesteps.
    pub fn timesteps(&self, steps: usize) -> Result<Vec<i64>> {
        let total = self.config.num_train_timesteps;
        if steps == 0 || steps > total {
            return Err(Error::invalid("steps", format!("{steps} is outside of 1 to {total}")));
        }
        let (count, length) = (steps as f64, total as f64);
        // `numpy.arange` takes the difference of its first two values for its increment.
        let increment = (length - length / count) - length;
        let at = |index: usize| -> i64 {
            let index = index as f64;
            match self.config.timestep_spacing {
                Spacing::Trailing => (length + index * increment).round_ties_even() as i64 - 1,
                Spacing::Leading => {
                    ((count - 1.0 - index) * (total / steps) as f64) as i64 + self.config.steps_offset as i64
                }
                Spacing::Linspace if steps == 1 => 0,
                Spacing::Linspace => {
                    ((count - 1.0 - index) * ((length - 1.0) / (count - 1.0))).round_ties_even() as i64
                }
            }
        };
        let timesteps: Vec<i64> = (0..steps).map(at).collect();
        match timesteps.iter().find(|timestep| **timestep >= total as i64) {
            Some(beyond) => Err(Error::invalid(
                "scheduler config",
                format!("steps_offset {} leads to timestep {beyond} of {total}", self.config.steps_offset),
            )),
            None => Ok(timesteps),
        }
    }

    /// Distance from a timestep to the one its step ends at, in a run of `steps` steps.
    pub fn stride(&self, steps: usize) -> i64 {
        (self.config.num_train_timesteps / steps) as i64
    }

    /// `sqrt(a) x0 + sqrt(1 - a) noise` at one timestep per batch item.
    ///
    /// # Shapes
    /// `x0` and `noise` `[batch, ..]`, `timesteps` of length batch.
    ///
    /// # Panics
    /// When `timesteps` has another length than the batch or an entry outside of the schedule.
    pub fn add_noise<const D: usize>(&self, x0: Tensor<D>, noise: Tensor<D>, timesteps: &[usize]) -> Tensor<D> {
        let (signal, spread) = self.coefficients(&x0, timesteps);
        x0 * signal + noise * spread
    }

    /// The velocity `sqrt(a) noise - sqrt(1 - a) x0`: the training target.
    ///
    /// # Shapes
    /// As [`add_noise`](Self::add_noise).
    ///
    /// # Panics
    /// As [`add_noise`](Self::add_noise).
    pub fn velocity<const D: usize>(&self, x0: Tensor<D>, noise: Tensor<D>, timesteps: &[usize]) -> Tensor<D> {
        let (signal, spread) = self.coefficients(&x0, timesteps);
        noise * signal - x0 * spread
    }

    /// The clean sample that a prediction stands for.
    pub(super) fn x0<const D: usize>(&self, prediction: Tensor<D>, sample: Tensor<D>, alpha: f64) -> Tensor<D> {
        let (signal, spread) = (alpha.sqrt(), (1.0 - alpha).sqrt());
        match self.config.prediction_type {
            Prediction::Velocity => sample * signal - prediction * spread,
            Prediction::Epsilon => (sample - prediction * spread) / signal,
            Prediction::Sample => prediction,
        }
    }

    /// `sqrt(a)` and `sqrt(1 - a)` as `[batch, 1, ..]`.
    fn coefficients<const D: usize>(&self, like: &Tensor<D>, timesteps: &[usize]) -> (Tensor<D>, Tensor<D>) {
        assert_eq!(timesteps.len(), like.dims()[0], "one timestep per batch item");
        let mut shape = [1; D];
        shape[0] = timesteps.len();
        let column = |value: fn(f64) -> f64| {
            let values: Vec<f32> = timesteps.iter().map(|t| value(self.alphas_cumprod[*t]) as f32).collect();
            Tensor::<D>::from_data(TensorData::new(values, shape), (&like.device(), DType::F32)).cast(like.dtype())
        };
        (column(f64::sqrt), column(|alpha| (1.0 - alpha).sqrt()))
    }
}

fn betas(config: &SchedulerConfig) -> Vec<f64> {
    let last = (config.num_train_timesteps - 1) as f64;
    let ramp = |start: f64, end: f64, index: usize| start + (end - start) * (index as f64 / last);
    (0..config.num_train_timesteps)
        .map(|index| match config.beta_schedule {
            BetaSchedule::ScaledLinear => ramp(config.beta_start.sqrt(), config.beta_end.sqrt(), index).powi(2),
            BetaSchedule::Linear => ramp(config.beta_start, config.beta_end, index),
        })
        .collect()
}

/// Shifts and scales `sqrt(a)` so that its last value is 0 and its first stays.
fn rescale_to_zero_terminal_snr(alphas: &mut [f64]) {
    let first = alphas[0].sqrt();
    let last = alphas[alphas.len() - 1].sqrt();
    for alpha in alphas {
        let root = (alpha.sqrt() - last) * (first / (first - last));
        *alpha = root * root;
    }
}
