//! What can go wrong between pixels and latents.

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Files, checkpoints and cancellation.
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
    /// A field of the configuration holds a value that no VAE of this family can have.
    #[error("VAE config: `{field}` {reason}")]
    Config {
        /// Name in `config.json`.
        field: &'static str,
        /// Its value and what is accepted.
        reason: String,
    },
    /// A field of the configuration asks for a variant that the published models do not use.
    #[error("VAE config: `{field}` = {value} is not supported; {help}")]
    Unsupported {
        /// Name in `config.json`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is supported.
        help: &'static str,
    },
    /// A tensor has a shape that cannot be encoded or decoded.
    #[error("cannot {action} a tensor of shape {shape:?}: {reason}")]
    Shape {
        /// `"encode"` or `"decode"`.
        action: &'static str,
        /// The tensor's shape.
        shape: Vec<usize>,
        /// Which axis is wrong, and what is accepted.
        reason: String,
    },
    /// Tiles of this size and overlap would not fit together again.
    #[error("cannot {action} in tiles along the {axis}: {reason}")]
    Tiles {
        /// `"encode"` or `"decode"`.
        action: &'static str,
        /// `"height"` or `"width"`.
        axis: &'static str,
        /// The numbers that do not fit, and what would.
        reason: String,
    },
}
