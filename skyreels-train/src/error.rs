//! What can go wrong while training.

use skyreels_core::diffusion::Prediction;

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
    /// Of the VAE and the landmark guider.
    #[error(transparent)]
    Vae(#[from] skyreels_vae::Error),
    /// Of faces, motion and drawing.
    #[error(transparent)]
    Landmarks(#[from] skyreels_landmarks::Error),
    /// The device failed while a network was running.
    #[error("computing {what} failed: {reason}; check the device and its free memory")]
    Inference {
        /// What was computed.
        what: &'static str,
        /// The device's answer.
        reason: String,
    },
    /// The loss, or a gradient, is no number any more.
    #[error(
        "step {step}: {what} is {value}; lower the learning rate, clip gradients (`clip_norm`), or go on from an earlier checkpoint \
         with another seed"
    )]
    Diverged {
        /// Optimiser steps done in the stage.
        step: u64,
        /// Loss or norm of the gradient.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A pattern of a stage that no parameter has.
    #[error("stage `{stage}`: no parameter matches `{pattern}`; keys look like `{example}`")]
    NoParameter {
        /// The stage.
        stage: String,
        /// The pattern.
        pattern: String,
        /// A key that there is.
        example: String,
    },
    /// An argument that makes no sense.
    #[error("{what}: {reason}")]
    Invalid {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A prediction cannot be converted at a timestep.
    #[error(
        "a prediction of {said:?} says nothing about {measured:?} at timestep {timestep}: measure the error on {said:?}, or leave \
         this timestep out"
    )]
    Undefined {
        /// What the network says.
        said: Prediction,
        /// What the error is measured on.
        measured: Prediction,
        /// Where it happened.
        timestep: usize,
    },
}

impl Error {
    pub(crate) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, reason: reason.into() }
    }

    /// True when the caller's progress callback asked to stop.
    pub fn is_cancelled(&self) -> bool {
        let core = match self {
            Self::Core(error)
            | Self::Dit(skyreels_dit::Error::Core(error))
            | Self::Landmarks(skyreels_landmarks::Error::Core(error))
            | Self::Vae(skyreels_vae::Error::Core(error)) => error,
            _ => return false,
        };
        matches!(core, skyreels_core::Error::Cancelled { .. })
    }
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
