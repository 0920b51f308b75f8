//! SMIRK: from a face crop to the coefficients of FLAME's head.
//!
//! Retsinas et al., "3D Facial Expressions through Analysis-by-Neural-Synthesis" (CVPR 2024). Three small networks
//! look at a 224x224 crop: one for the pose and the camera, one for the shape, one for expression, eyelids and jaw.

mod crop;
mod encoder;
mod mobilenet;
mod track;

pub use crop::{CROP_SIDE, FaceSquare};
pub use encoder::{SmirkConfig, SmirkEncoder, SmirkOutput};
pub use mobilenet::{Backbone, Variant};
pub use track::SmirkTracker;
