//! SCRFD: the face boxes that the original crops by.
//!
//! Guo et al., "Sample and Computation Redistribution for Efficient Face Detection" (ICLR 2022), the 10-gigaflop variant
//! with five points (`scrfd_10g_bnkps`, exported as `det_10g.onnx`). Its published weights are for research only; the
//! crop can also be taken from MediaPipe's points ([`FaceBox::of_landmarks`](crate::FaceBox::of_landmarks)).

mod backbone;
mod decode;
mod detector;
mod head;
mod letterbox;
mod network;

pub use decode::{OVERLAP, Preference, SCORE_THRESHOLD, StrideOutput, candidates, faces, preferred};
pub use detector::{Channels, INPUT, Scrfd};
pub use letterbox::Letterbox;
pub use network::{ScrfdConfig, ScrfdNetwork, StrideTensors};
