//! What is known about one file.

use std::collections::BTreeMap;

use crate::metrics::{BackgroundStability, FaceObservation, FrameScores};
use serde::{Deserialize, Serialize};

/// Everything that was measured on a picture or a video by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipAnalysis {
    /// Width and height of the frames.
    pub size: [u32; 2],
    /// The followed face of each frame, at the common rate.
    pub faces: Vec<Option<FaceObservation>>,
    /// Numbers of the frames that the recognition and feature networks saw.
    pub samples: Vec<usize>,
    /// Embedding of the face of each of those frames, by network; `None` where no face was found.
    pub embeddings: BTreeMap<String, Vec<Option<Vec<f32>>>>,
    /// torchvision's feature of the face of each of those frames.
    pub a1_features: Vec<Option<Vec<f32>>>,
    /// Features of the file, by network.
    pub features: BTreeMap<String, Vec<Vec<f32>>>,
    /// What the pixels do over time.
    pub pixels: PixelScores,
    /// Small pictures of sampled frames, evenly spread.
    pub thumbnails: Vec<Thumbnail>,
}

/// A small picture of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// Number of the frame, at the common rate.
    pub frame: usize,
    /// The picture as JPEG.
    pub jpeg: Vec<u8>,
}

/// What the pixels of a clip do over time; absent for pictures and clips that are too short.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PixelScores {
    /// See [`FlickerMeter`](crate::FlickerMeter).
    pub flicker: Option<FrameScores>,
    /// See [`BackgroundMeter`](crate::BackgroundMeter).
    pub background: Option<BackgroundStability>,
}

impl ClipAnalysis {
    /// Share of the frames that show a face.
    pub fn detection_rate(&self) -> f64 {
        self.faces.iter().flatten().count() as f64 / self.faces.len().max(1) as f64
    }
}
