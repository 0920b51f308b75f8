//! One error type: what happened, to which file, key, shape or frame, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::checkpoint::LoadReport;

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do.
///
/// Categories follow the cause, not the module: input/output, malformed or unsupported content,
/// limits, configuration, checkpoints, devices, cancellation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "read", "write", "rename", ...
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The content of a file is not what its format promises.
    #[error("{}: not a valid {format}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format it was read as.
        format: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// The content is valid, but this build cannot handle it.
    #[error("{}: {what} is not supported; {help}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The codec, format or variant.
        what: String,
        /// What to do instead.
        help: String,
    },
    /// A file asks for more than [`Limits`](crate::Limits) allows.
    #[error("{}: {what} is {value}, above the limit of {limit}; {help}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The quantity that is too large.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The largest value accepted.
        limit: u64,
        /// What to do instead.
        help: String,
    },
    /// A configuration file is missing a field, or holds one that cannot be used.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The field, its value, and what is accepted.
        reason: String,
    },
    /// The tensors of a checkpoint do not fit the model.
    #[error("{}: the checkpoint does not fit the model\n{report}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// Every missing, unused and misshapen key.
        report: Box<LoadReport>,
    },
    /// A device string names something that is not compiled in or not there.
    #[error("device `{device}`: {reason}; {help}")]
    Device {
        /// The device string.
        device: String,
        /// Why it cannot be used.
        reason: String,
        /// Which feature or driver is missing.
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
    /// The caller's [`Progress`](crate::Progress) asked to stop.
    #[error("cancelled during {stage}")]
    Cancelled {
        /// The stage that was under way.
        stage: &'static str,
    },
}

impl Error {
    /// Wraps an operating-system error with the action and the path.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// A file whose content breaks the rules of its format.
    pub fn malformed(path: impl AsRef<Path>, format: &'static str, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.as_ref().to_path_buf(), format, reason: reason.into() }
    }

    /// An argument outside of what is accepted.
    pub fn invalid(what: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { what, reason: reason.into() }
    }
}
