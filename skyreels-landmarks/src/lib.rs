#![doc = include_str!("../README.md")]

pub mod draw;
mod error;
pub mod golden;

pub use error::{Error, Result};
