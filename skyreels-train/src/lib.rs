#![doc = include_str!("../README.md")]

mod error;
pub mod golden;
pub mod landmarks;
pub mod loss;
pub mod world;

pub use error::{Error, Result};
