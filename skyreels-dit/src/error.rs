//! What can go wrong in this crate.

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What does not fit, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration asks for a model that this crate does not have, or contradicts itself.
    #[error("{model} configuration: {field} is {value}; {help}")]
    Config {
        /// Which model: `transformer` or `siglip`.
        model: &'static str,
        /// The field of `config.json`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        help: String,
    },
    /// A tensor given to a model has the wrong shape.
    #[error("{what} has shape {found:?}; expected {expected}")]
    Shape {
        /// Which argument.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What the model takes, in words or as a shape.
        expected: String,
    },
    /// The learned positions of a checkpoint exist for one picture size only.
    #[error(
        "the learned positions of this transformer are made for latents of {}x{} (height x width), not {}x{}; \
         use the published size",
        expected[0], expected[1], found[0], found[1]
    )]
    PictureSize {
        /// Height and width of the latents that were given.
        found: [usize; 2],
        /// Height and width that the positions are made for.
        expected: [usize; 2],
    },
    /// The projector of the identity tokens lets nothing through.
    #[error(
        "every value of `patch_embed.pose_proj.0.weight` is zero, so the portrait's face cannot reach the video; \
         the checkpoint was saved before its identity stage was trained, use a trained one"
    )]
    DeadFaceBranch,
    /// A cache of blocks was asked to compare by a threshold that means nothing.
    #[error("block cache: {threshold} is not a threshold; use a share between 0 and {most}, 0.05 to 0.15 is usual")]
    Threshold {
        /// What was asked for.
        threshold: f64,
        /// The largest threshold.
        most: f64,
    },
    /// The device failed while computing.
    #[error("the transformer failed on the device: {reason}; free some memory or choose a smaller clip")]
    Execution {
        /// The device's answer.
        reason: String,
    },
    /// A checkpoint, file or device refused.
    #[error(transparent)]
    Core(#[from] skyreels_core::Error),
}
