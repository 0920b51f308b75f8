#![doc = include_str!("../README.md")]

mod align;

pub use align::{ALIGNED_SIDE, Affine, aligned_face, similarity, warp_affine};
