//! A run of the reverse process: the timesteps, and the state between them.

use std::str::FromStr;

use burn::tensor::Tensor;

use super::ddim::{Step, ddim_step};
use super::dpm::{Memory, dpm_step};
use super::schedule::Schedule;
use crate::{Error, Result};

/// The published samplers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SamplerKind {
    /// Deterministic; what the published scheduler is.
    #[default]
    Ddim,
    /// Second order with fresh noise; fewer steps for the same picture.
    Dpm,
}

impl FromStr for SamplerKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "ddim" => Ok(Self::Ddim),
            "dpm" => Ok(Self::Dpm),
            _ => Err(Error::invalid("sampler", format!("`{name}` is unknown; use ddim or dpm"))),
        }
    }
}

/// Steps through the timesteps of one run.
#[derive(Debug, Clone)]
pub struct Sampler<const D: usize> {
    schedule: Schedule,
    kind: SamplerKind,
    timesteps: Vec<i64>,
    memory: Option<Memory<D>>,
}

impl<const D: usize> Sampler<D> {
    /// A run of `steps` steps.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the schedule has no such run.
    pub fn new(schedule: Schedule, kind: SamplerKind, steps: usize) -> Result<Self> {
        let timesteps = schedule.timesteps(steps)?;
        Ok(Self { schedule, kind, timesteps, memory: None })
    }

    /// The timesteps, first to last.
    pub fn timesteps(&self) -> &[i64] {
        &self.timesteps
    }

    /// Takes step `index` of the run, which has to follow step `index - 1`.
    ///
    /// `noise` makes a fresh standard normal tensor; DDIM does not ask for one, DPM asks
    /// once or, as the original does, twice per step and uses the last.
    ///
    /// # Shapes
    /// `prediction`, `sample` and the result have the shape of the latents.
    ///
    /// # Panics
    /// When `index` is not below the number of steps.
    pub fn step(
        &mut self,
        index: usize,
        prediction: Tensor<D>,
        sample: Tensor<D>,
        mut noise: impl FnMut() -> Tensor<D>,
    ) -> Step<D> {
        let timestep = self.timesteps[index];
        let target = timestep - self.schedule.stride(self.timesteps.len());
        match self.kind {
            SamplerKind::Ddim => ddim_step(&self.schedule, timestep, target, prediction, sample),
            SamplerKind::Dpm => {
                let mut drawn = noise();
                if self.memory.is_some() && target >= 0 {
                    drawn = noise();
                }
                let memory = self.memory.as_ref();
                let step = dpm_step(&self.schedule, timestep, target, prediction, sample, memory, drawn);
                self.memory = Some(Memory { timestep, x0: step.x0.clone() });
                step
            }
        }
    }
}
