//! Training of the video VAE: reconstruction and a little divergence, without a network that judges.

mod loss;
mod task;
mod whiten;

pub use loss::{ReconstructionLoss, kl_divergence};
pub use task::{Autoencoder, AutoencoderSettings, AutoencoderTask};
