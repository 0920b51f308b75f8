//! The training objective: which of noise, sample and velocity the network says, and in which the error is measured.

use burn::tensor::{DType, Tensor, TensorData};
use skyreels_core::diffusion::{Prediction, Schedule};

use crate::{Error, Result};

/// A training objective on a noise schedule.
///
/// With `a` the share of signal at a timestep, `x0` clean latents and `n` noise, the network sees `z = sqrt(a) x0 + sqrt(1 - a) n`.
/// Noise, sample and velocity `v = sqrt(a) n - sqrt(1 - a) x0` are three ways to say the same, converted exactly.
/// Their errors differ by a factor: `|n - n'|^2 = a |v - v'|^2` and `|x0 - x0'|^2 = (1 - a) |v - v'|^2`. The paper writes the
/// loss on noise; with zero terminal SNR noise says nothing at the last timestep, so the default is velocity, as in
/// reference trainers of this model family (whose `x0` loss with weight `1 / (1 - a)` equals it).
#[derive(Debug, Clone, Copy)]
pub struct Objective<'a> {
    schedule: &'a Schedule,
    measured: Prediction,
}

impl<'a> Objective<'a> {
    /// Errors are measured on the velocity, whatever the network says.
    pub fn new(schedule: &'a Schedule) -> Self {
        Self { schedule, measured: Prediction::Velocity }
    }

    /// Errors are measured on `measured`.
    #[must_use]
    pub fn measured_on(mut self, measured: Prediction) -> Self {
        self.measured = measured;
        self
    }

    /// What the network should have said, in the form in which errors are measured.
    ///
    /// # Shapes
    /// `x0` and `noise` `[batch, ..]`, `timesteps` one per batch entry.
    ///
    /// # Panics
    /// When `timesteps` has another length than the batch or an entry outside of the schedule.
    pub fn target<const D: usize>(&self, x0: Tensor<D>, noise: Tensor<D>, timesteps: &[usize]) -> Tensor<D> {
        match self.measured {
            Prediction::Velocity => self.schedule.velocity(x0, noise, timesteps),
            Prediction::Epsilon => noise,
            Prediction::Sample => x0,
        }
    }

    /// What the network has said about `noisy`, in the form in which errors are measured.
    ///
    /// # Shapes
    /// `prediction` and `noisy` `[batch, ..]`, `timesteps` one per batch entry.
    ///
    /// # Errors
    /// [`Error::Undefined`] when the schedule's form says nothing at a timestep: noise where no signal is left, the
    /// sample where there is no noise.
    ///
    /// # Panics
    /// As [`target`](Self::target).
    pub fn prediction<const D: usize>(
        &self,
        prediction: Tensor<D>,
        noisy: Tensor<D>,
        timesteps: &[usize],
    ) -> Result<Tensor<D>> {
        let said = self.schedule.config().prediction_type;
        if said == self.measured {
            return Ok(prediction);
        }
        let alphas: Vec<f64> = timesteps.iter().map(|timestep| self.schedule.alphas_cumprod()[*timestep]).collect();
        // Each form is a mixture of two of: what was said, what was seen.
        let mixtures = alphas.iter().zip(timesteps).map(|(alpha, timestep)| {
            let (signal, spread) = (alpha.sqrt(), (1.0 - alpha).sqrt());
            // [share of what was said, share of what was seen] of sample and noise.
            let (sample, noise) = match said {
                Prediction::Velocity => ([-spread, signal], [signal, spread]),
                Prediction::Epsilon => ([-spread / signal, signal.recip()], [1.0, 0.0]),
                Prediction::Sample => ([1.0, 0.0], [-signal / spread, spread.recip()]),
            };
            let mixture = match self.measured {
                Prediction::Sample => sample,
                Prediction::Epsilon => noise,
                Prediction::Velocity => [0, 1].map(|i| signal * noise[i] - spread * sample[i]),
            };
            if mixture.iter().all(|share| share.is_finite()) {
                Ok(mixture)
            } else {
                Err(Error::Undefined { said, measured: self.measured, timestep: *timestep })
            }
        });
        let mixtures = mixtures.collect::<Result<Vec<_>>>()?;
        let share = |i: usize| column(&prediction, mixtures.iter().map(|mixture| mixture[i] as f32).collect());
        Ok(prediction.clone() * share(0) + noisy * share(1))
    }
}

/// One value per batch entry, `[batch, 1, ..]`, where and as `like` is.
fn column<const D: usize>(like: &Tensor<D>, values: Vec<f32>) -> Tensor<D> {
    assert_eq!(values.len(), like.dims()[0], "one timestep per batch entry");
    let mut shape = [1; D];
    shape[0] = values.len();
    Tensor::<D>::from_data(TensorData::new(values, shape), (&like.device(), DType::F32)).cast(like.dtype())
}
