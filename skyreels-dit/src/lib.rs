#![doc = include_str!("../README.md")]

pub mod attention;
mod error;
pub mod golden;
pub mod siglip;
mod trace;
pub mod transformer;

pub use error::{Error, Result};
pub use siglip::{SiglipConfig, SiglipVisionTower};
pub use trace::Trace;
pub use transformer::{IDENTITY_TOKENS, Rotary, Transformer, TransformerConfig};
