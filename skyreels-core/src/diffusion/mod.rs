//! The forward and reverse diffusion process, as the published scheduler configuration says.

mod config;
mod ddim;
mod dpm;
mod guidance;
mod noise;
mod sampler;
mod schedule;

pub use config::{BetaSchedule, Prediction, SchedulerConfig, Spacing};
pub use ddim::{Step, ddim_step};
pub use dpm::{Memory, dpm_step};
pub use guidance::{Guidance, guide};
pub use noise::NoiseGenerator;
pub use sampler::{Sampler, SamplerKind};
pub use schedule::Schedule;
