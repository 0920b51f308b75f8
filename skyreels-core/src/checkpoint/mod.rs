//! Checkpoints in the published layout: memory-mapped, strict, written back the same way.
//!
//! A component (`transformer/`, `vae/`, ...) is a directory with a `config.json` and safetensors,
//! whole or in shards. A module says under which keys its parameters are published
//! ([`Published`]); [`Weights::load`] moves each tensor straight to its place.

mod config;
mod convert;
mod fill;
mod keys;
mod load;
mod lora;
mod report;
mod save;
mod shard;
mod weights;

pub use config::read_config;
pub use fill::{fill, initial_values};
pub use keys::{Key, Published, PublishedMapper, PublishedVisitor, as_stored};
pub use lora::{LORA_FILE, Lora, lora_keys, low_rank_update, save_lora};
pub use report::{LoadReport, Misshapen};
pub use save::{SHARD_BYTES, save, save_beside};
pub use weights::{DIFFUSERS_STEM, TRANSFORMERS_STEM, Weights};
