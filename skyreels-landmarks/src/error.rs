//! One error type for everything from pixels to motion to guide frames.

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
}
