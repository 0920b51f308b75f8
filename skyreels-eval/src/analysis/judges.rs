//! Who measures, and how closely.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use skyreels_core::media::FrameRate;
use skyreels_landmarks::{FacePick, FaceTracker, StreamOptions};

use crate::embed::FaceEmbedder;
use crate::inception::{FeatureExtractor, InceptionExtractor};

/// The networks. Only the face tracker must be there; what an absent one would measure is reported as not measured.
pub struct Judges<'a> {
    /// Finds and follows faces.
    pub tracker: &'a (dyn FaceTracker + Sync),
    /// Face recognition, by the names of their measurements (`arcface`, `curricularface`).
    pub identity: Vec<(String, FaceEmbedder)>,
    /// Features for distances of sets: Inception for the FID, networks that see several frames for the FVD.
    pub features: Vec<Box<dyn FeatureExtractor + 'a>>,
    /// torchvision's Inception, for the released script's number only.
    pub a1_inception: Option<InceptionExtractor>,
}

/// How closely a file is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalysisOptions {
    /// Frames per second at which videos are compared, whatever their own rates.
    pub rate: FrameRate,
    /// Most frames of a video.
    pub max_frames: usize,
    /// Frames of each video that the recognition and feature networks see, evenly spread; the released script takes 16.
    pub samples: usize,
    /// How faces are followed.
    pub stream: StreamOptions,
    /// Which face of a picture or of a video's first frame.
    pub pick: FacePick,
}

/// What an evaluation has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Files that were decoded; each once.
    pub decoded_files: u64,
    /// Files whose measurements were kept from an earlier run.
    pub kept_files: u64,
    /// Frames that were looked at.
    pub frames: u64,
    /// Batches that went through recognition and feature networks.
    pub forward_passes: u64,
    /// Pictures in those batches.
    pub pictures: u64,
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.decoded_files += other.decoded_files;
        self.kept_files += other.kept_files;
        self.frames += other.frames;
        self.forward_passes += other.forward_passes;
        self.pictures += other.pictures;
    }
}
