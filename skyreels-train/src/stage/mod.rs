//! The stages of a training run, as configuration.

mod begin;
mod settings;

pub use begin::{Begin, Latents, PatchConvolution, Projector, from_image_to_video};
pub use settings::{LossSettings, MeasuredOn, Stage, paper_stages};
