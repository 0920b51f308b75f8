#![doc = include_str!("../README.md")]

mod batches;
mod blend;
mod blocks;
mod config;
mod conv;
mod decoder;
pub mod differentiate;
mod encoder;
mod error;
mod flops;
pub mod golden;
mod halves;
mod host;
mod memory;
mod model;
mod norm;
mod pass;
mod posterior;
mod resize;
mod tiling;

pub use batches::{frame_batches, latent_batches};
pub use config::VaeConfig;
pub use error::{Error, Result};
pub use flops::{decode_flops, encode_flops};
pub use memory::{decode_bytes, encode_bytes};
pub use model::{CausalVae, DecodeStream, LandmarkGuider};
pub use pass::Trace;
pub use posterior::Posterior;
pub use tiling::{Direction, TileAxis, TilePlan, TileSizes, Tiling};
