//! What can go wrong while training.

/// Every error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Of checkpoints, files, devices and cancellation.
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
    /// Of the denoiser and the vision tower.
    #[error(transparent)]
    Dit(#[from] skyreels_dit::Error),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
