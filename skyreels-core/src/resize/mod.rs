//! Resizing of 8-bit RGB pictures exactly as the two libraries of the original do it.
//!
//! The networks were trained on pictures that Pillow and OpenCV had resized, so their rounding is part of the
//! model: `resize_pillow` filters with support scaled to the reduction (antialiased), `resize_opencv` interpolates between
//! neighbours whatever the scale. `fast_image_resize` and `image` differ from both by several grey levels.

mod fit;
mod opencv;
mod pillow;

pub use fit::fit;
pub use opencv::{Interpolation, resize_opencv};
pub use pillow::{Filter, resize_pillow};
