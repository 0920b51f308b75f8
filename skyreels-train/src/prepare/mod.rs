//! From videos to a dataset: shots, faces, filters, guide clips, weights; in shards, resumable, on many machines.
//!
//! [`prepare`] reads each video at the model's rate and fits its frames to the model's size. A cut ends a shot; a shot is taken apart
//! into clips of the model's length; a clip with one face throughout is kept with all that training asks for
//! ([`PreparedClip`]). What is rejected is recorded with its [`Reason`].
//!
//! Whether a clip moves enough is decided last, by [`assemble`]: only then is the distribution of motion known from which
//! [`MotionRules`] take their thresholds. It writes the manifest, one [`Row`] a line, that [`PreparedDataset`] reads.
//!
//! On disk: `parts/NAME.jsonl` says what became of a source, and exists only when the source is finished; `shards/` holds the
//! clips; `manifest.jsonl` is written from the parts of one or several directories.

mod clip;
mod cuts;
mod dataset;
mod filter;
mod job;
mod manifest;
mod measure;
mod settings;
mod shard;
mod source;

pub use clip::{Encoders, PreparedClip, Tools};
pub use cuts::CutDetector;
pub use dataset::PreparedDataset;
pub use filter::{MotionRules, Reason, Threshold};
pub use job::{Prepared, prepare};
pub use manifest::{ClipRow, MANIFEST, RejectedRow, Row, SourceRow, Summary, assemble, read_manifest};
pub use measure::{Distribution, Measure, QUANTILES};
pub use settings::{FaceRules, Settings, Share};

/// Weights of the loss are kept as means over squares of this side: what a latent covers.
pub const CELL: usize = 8;
