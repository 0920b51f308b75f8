//! One error type for everything that judges a result.

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file, a limit, an argument or a cancellation: see [`skyreels_core::Error`].
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
    /// Faces: see [`skyreels_landmarks::Error`].
    #[error(transparent)]
    Landmarks(#[from] skyreels_landmarks::Error),
    /// The device failed while a network was running.
    #[error("running the {network} network failed: {reason}; check the device and its free memory")]
    Inference {
        /// The network by its name.
        network: &'static str,
        /// The device's answer.
        reason: String,
    },
    /// There is nothing to measure.
    #[error("{what}: there is nothing to measure; {help}")]
    Empty {
        /// What was to be measured.
        what: String,
        /// What to do.
        help: String,
    },
    /// A number that is not finite went into a measurement or came out of it.
    #[error("{what}: {place} is not a finite number; the measurement would mean nothing")]
    NotFinite {
        /// What was measured.
        what: String,
        /// Where the number is.
        place: String,
    },
    /// Things that are compared have different sizes.
    #[error("{what}: {left} on one side and {right} on the other; they must be the same")]
    Mismatch {
        /// What was to be compared.
        what: String,
        /// Size of the first.
        left: String,
        /// Size of the second.
        right: String,
    },
    /// An argument is outside of what the operation accepts.
    #[error("{what}: {reason}")]
    Invalid {
        /// The argument.
        what: &'static str,
        /// Its value, what is accepted, and what to do.
        reason: String,
    },
}

impl Error {
    pub(crate) fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, reason: reason.into() }
    }

    pub(crate) fn empty(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Empty { what: what.into(), help: help.into() }
    }

    pub(crate) fn not_finite(what: impl Into<String>, place: impl Into<String>) -> Self {
        Self::NotFinite { what: what.into(), place: place.into() }
    }

    pub(crate) fn mismatch(what: impl Into<String>, left: impl ToString, right: impl ToString) -> Self {
        Self::Mismatch { what: what.into(), left: left.to_string(), right: right.to_string() }
    }

    /// True when the work was stopped by whoever asked for it.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Core(skyreels_core::Error::Cancelled { .. }))
    }
}
