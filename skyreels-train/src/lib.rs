#![doc = include_str!("../README.md")]

mod error;
pub mod golden;

pub use error::{Error, Result};
