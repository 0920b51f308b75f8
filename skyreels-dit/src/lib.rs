#![doc = include_str!("../README.md")]

mod activation;
pub mod attention;
mod error;
pub mod golden;
mod host;
pub mod siglip;
mod trace;
pub mod transformer;

pub use error::{Error, Result};
pub use siglip::{SiglipConfig, SiglipVisionTower};
pub use trace::Trace;
pub use transformer::{FirstBlockCache, IDENTITY_TOKENS, Rotary, StepReuse, Transformer, TransformerConfig};
