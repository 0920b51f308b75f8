#![doc = include_str!("../README.md")]

mod error;
mod mediapipe;
mod task;
mod tflite;

pub use error::{Error, Result};
pub use mediapipe::{BLENDSHAPE_NAMES, BLENDSHAPES, Face, FaceLandmarker, FaceTracker, LANDMARKS, LandmarkerOptions};
