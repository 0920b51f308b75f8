//! One training step of the denoiser: what it is shown, and the gradients of the loss.

mod batch;
mod blocks;
mod denoising;
mod encode;
mod gradients;
mod picture;
mod sample;
mod task;
mod timesteps;

pub use batch::{Batch, Control, Dropout, Noise};
pub use denoising::Denoising;
pub use encode::{Encoded, Encoder, GuideClip};
pub use gradients::{Loss, Recompute, loss_and_gradients};
pub use sample::{Sampling, sample_latents};
pub use task::{DiffusionSettings, DiffusionTask, Loader, Parts};
pub use timesteps::Timesteps;
