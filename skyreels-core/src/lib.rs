#![doc = include_str!("../README.md")]

mod allocator;
pub mod checkpoint;
pub mod device;
pub mod diffusion;
mod error;
pub mod golden;
pub mod hash;
mod limits;
#[cfg(feature = "media")]
pub mod media;
pub mod nn;
pub mod output;
pub mod pixels;
mod precision;
mod progress;
pub mod resize;

pub use allocator::keep_freed_memory;
pub use burn::tensor::Device;
pub use device::open as open_device;
pub use error::{Error, Result};
pub use limits::Limits;
pub use precision::Precision;
pub use progress::{Event, Progress};

/// A picture: 8-bit RGB, rows from the top, `[height, width, 3]`.
pub type Frame = image::RgbImage;
