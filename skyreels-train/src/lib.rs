#![doc = include_str!("../README.md")]

pub mod autoencoder;
pub mod data;
pub mod diffusion;
mod error;
pub mod flow;
pub mod golden;
pub mod guider;
pub mod landmarks;
pub mod loss;
pub mod optimise;
pub mod prepare;
pub mod run;
mod source;
pub mod stage;
pub mod world;

pub use error::{Error, Result};
pub use source::Source;
