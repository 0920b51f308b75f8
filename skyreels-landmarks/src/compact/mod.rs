//! A small landmark network of our own: one convolutional regressor that looks closer and closer, and at
//! last at three views whose answers are averaged.
//!
//! It has the same points, scores and trait as MediaPipe's networks and none of their files. It sees one face per picture,
//! and it knows faces of the kind that it was trained on; the one that ships with the repository has seen rendered people only.
//!
//! ```text
//! frame ─ whole, squared ▶ regressor ─ points ▶ square around them ▶ regressor ─▶ 478 points, 52 scores, presence
//!                                                     ▲                   │                └─▶ fit of the head ▶ pose
//!                                                     └─── next frame ────┘
//! ```

mod landmarker;
mod network;
mod view;

pub use landmarker::{CompactLandmarker, CompactOptions};
pub use network::{CompactConfig, CompactNetwork, CompactOutput, Convolve};
pub use view::SquareView;
