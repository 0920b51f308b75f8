//! Everything that can go wrong between a portrait and a video.

use std::path::PathBuf;

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do. Errors of the parts come through unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files, devices, limits, checkpoints, cancellation.
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
    /// Faces, motion, drawing.
    #[error(transparent)]
    Landmarks(#[from] skyreels_landmarks::Error),
    /// The VAE and the landmark guider.
    #[error(transparent)]
    Vae(#[from] skyreels_vae::Error),
    /// The transformer and the vision tower.
    #[error(transparent)]
    Dit(#[from] skyreels_dit::Error),
    /// Losses, data and stages of training.
    #[error(transparent)]
    Train(#[from] skyreels_train::Error),
    /// Measurements of results.
    #[error(transparent)]
    Eval(#[from] skyreels_eval::Error),
    /// A component of the checkpoint has a configuration that its network refuses.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The component's `config.json`.
        path: PathBuf,
        /// What the network says.
        reason: String,
    },
    /// The components of a checkpoint do not belong together.
    #[error("{}: the components do not fit each other: {reason}", path.display())]
    Mismatch {
        /// The checkpoint directory.
        path: PathBuf,
        /// Which fields disagree.
        reason: String,
    },
    /// The requested clip is one that the model cannot make.
    #[error("{what}: {reason}")]
    Request {
        /// The option.
        what: &'static str,
        /// What was asked, what is possible.
        reason: String,
    },
    /// The run would need more memory than there is.
    #[error("this run needs about {needed} MiB and {available} MiB are free; {help}")]
    Memory {
        /// Estimated peak, in MiB.
        needed: u64,
        /// Free memory, in MiB.
        available: u64,
        /// The smaller plan.
        help: String,
    },
    /// The device failed while computing.
    #[error(
        "{stage} failed on the device: {reason}; free some memory or choose a smaller plan (`--tiling on`, `--precision bf16`)"
    )]
    Execution {
        /// The stage that was under way.
        stage: &'static str,
        /// The device's answer.
        reason: String,
    },
    /// A network computed something that is no number.
    #[error(
        "{stage}: {count} of {of} values are NaN or infinite; f16 overflows where bf16 and f32 do not (`--precision bf16`), and \
         damaged weights do so in any precision (`skyreels inspect`, `skyreels verify`)"
    )]
    NotFinite {
        /// The stage that made them.
        stage: &'static str,
        /// How many they are.
        count: usize,
        /// Of how many values.
        of: usize,
    },
}

impl Error {
    /// True when the caller's progress callback asked to stop.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Core(error) => matches!(error, skyreels_core::Error::Cancelled { .. }),
            Self::Landmarks(skyreels_landmarks::Error::Core(error)) => {
                matches!(error, skyreels_core::Error::Cancelled { .. })
            }
            Self::Vae(skyreels_vae::Error::Core(error)) => matches!(error, skyreels_core::Error::Cancelled { .. }),
            Self::Dit(skyreels_dit::Error::Core(error)) => matches!(error, skyreels_core::Error::Cancelled { .. }),
            Self::Train(error) => error.is_cancelled(),
            Self::Eval(error) => error.is_cancelled(),
            _ => false,
        }
    }

    pub(crate) fn request(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Request { what, reason: reason.into() }
    }
}
