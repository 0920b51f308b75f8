//! One error type for everything from pixels to motion to guide frames.

use std::path::PathBuf;

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, a limit, an argument or a cancellation: see [`skyreels_core::Error`].
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
    /// The device failed while a face network was running.
    #[error("running the {network} network failed: {reason}; check the device and its free memory")]
    Inference {
        /// The network by its name in the bundle.
        network: &'static str,
        /// The device's answer.
        reason: String,
    },
    /// There is no face where one is needed.
    #[error("no face in {place}; {help}")]
    NoFace {
        /// The picture or frames that were searched.
        place: String,
        /// What to do.
        help: String,
    },
    /// An argument is outside of what the operation accepts.
    #[error("{what}: {reason}")]
    Invalid {
        /// The argument.
        what: &'static str,
        /// Its value, what is accepted, and what to do.
        reason: String,
    },
    /// A motion file written by a newer version of this crate.
    #[error("{}: motion format {version} is newer than {newest}, the newest known here; update the program", path.display())]
    MotionVersion {
        /// The file.
        path: PathBuf,
        /// Its format version.
        version: u32,
        /// The newest version that can be read.
        newest: u32,
    },
}

impl Error {
    /// An argument outside of what is accepted.
    pub(crate) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, reason: reason.into() }
    }
}
