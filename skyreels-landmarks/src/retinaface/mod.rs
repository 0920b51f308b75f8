//! RetinaFace with a ResNet-50: boxes and five points of every face, as the original aligns faces.
//!
//! Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild" (CVPR 2020), in the version of facexlib
//! 0.3 (`detection_Resnet50_Final.pth`).

mod decode;
mod detector;
mod network;
mod resnet;

pub use decode::{Priors, SCORE_THRESHOLD};
pub use detector::RetinaFace;
pub use network::{RetinaFaceConfig, RetinaFaceNetwork, RetinaFaceOutput};
