#![doc = include_str!("../README.md")]

mod error;
pub mod flow;
pub mod golden;
pub mod loss;
pub mod prepare;
pub mod world;

pub use error::{Error, Result};
