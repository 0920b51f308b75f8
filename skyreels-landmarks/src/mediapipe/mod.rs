//! MediaPipe's face landmarker (0.10), image mode.
//!
//! ```text
//! frame ─ letterbox ▶ detector ─ region ▶ warp ▶ mesh ─▶ 478 points ─▶ blendshapes
//!                                                            └──────▶ geometry (pose, head points)
//! ```

mod blendshapes;
mod detector;
mod face;
mod geometry;
mod landmarker;
mod mesh;
mod metadata;
mod networks;
mod region;
mod second_look;
mod warp;

pub use blendshapes::{BLENDSHAPE_NAMES, BLENDSHAPES};
pub use face::Face;
pub use landmarker::{FaceLandmarker, FaceTracker, LandmarkerOptions};
pub use mesh::LANDMARKS;
