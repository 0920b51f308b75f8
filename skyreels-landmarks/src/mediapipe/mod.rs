//! MediaPipe's face landmarker (0.10), image mode and video mode.
//!
//! ```text
//! frame ─ letterbox ▶ detector ─ region ▶ warp ▶ mesh ─▶ 478 points ─ smoothing ▶ blendshapes
//!                                  ▲                        │              └──▶ geometry (pose, head points)
//!                                  └── video mode: next ────┘
//! ```

mod angles;
mod blendshapes;
mod detector;
mod face;
mod geometry;
mod identities;
mod iris;
mod landmarker;
mod mesh;
mod metadata;
mod networks;
mod options;
mod region;
mod second_look;
mod stream;
mod warp;

pub use angles::HeadAngles;
pub use blendshapes::{BLENDSHAPE_NAMES, BLENDSHAPES};
pub use face::Face;
pub(crate) use face::bounds;
pub(crate) use geometry::HeadModel;
pub use iris::Iris;
pub use landmarker::{FaceLandmarker, FaceTracker};
pub use mesh::LANDMARKS;
pub use options::{LandmarkerOptions, StreamOptions, TrackingMode};
pub use stream::FaceStream;
