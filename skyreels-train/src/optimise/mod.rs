//! From gradients to new parameters.
//!
//! Everything here is keyed by published keys, flat and in the stored layout: gradients, moments and averages are saved and found
//! again like weights.

mod adamw;
mod average;
mod gradients;
mod learning_rate;
mod lora;
mod muon;
mod pattern;
mod store;
mod tape;
mod trained;

pub use adamw::{AdamWSettings, Optimizer};
pub use average::Average;
pub use gradients::Gradients;
pub use learning_rate::{Decay, LearningRate};
pub use lora::{LoraSettings, LowRank};
pub use muon::{Muon, MuonSettings};
pub use pattern::{Patterns, matches};
pub(crate) use store::{read_tensors, write_tensors};
pub use tape::Pieces;
pub use trained::{keys, trainable_only};
pub(crate) use trained::{overwrite, reduced, values};
