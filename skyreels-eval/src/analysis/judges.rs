//! Who measures, and how closely.

use std::collections::BTreeSet;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};
use skyreels_core::media::FrameRate;
use skyreels_landmarks::{FacePick, FaceTracker, StreamOptions};

use crate::embed::FaceEmbedder;
use crate::inception::{FeatureExtractor, InceptionExtractor, InceptionVariant};
use crate::{Error, Result};

/// The networks. Only the face tracker must be there; what an absent one would measure is reported as not measured.
pub struct Judges<'a> {
    /// Finds and follows faces.
    pub tracker: &'a (dyn FaceTracker + Sync),
    /// Face recognition, one network of each kind at most.
    pub identity: Vec<FaceEmbedder>,
    /// Features for distances of sets, each with a name of its own: Inception for the FID, networks that see several frames for
    /// the FVD.
    pub features: Vec<Box<dyn FeatureExtractor + 'a>>,
    /// torchvision's Inception, for the released script's number only.
    pub a1_inception: Option<InceptionExtractor>,
}

impl Judges<'_> {
    /// Refuses networks whose measurements would be taken for one another's.
    ///
    /// # Errors
    /// [`Error::Invalid`] for two recognition networks of one kind, extractors of one name, of a name that is no word or of
    /// stretches without frames, and for an Inception in place of torchvision's that is not.
    pub fn check(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        for embedder in &self.identity {
            if !names.insert(embedder.key()) {
                return Err(Error::invalid(
                    "face recognition",
                    format!("two networks are {}; give one", embedder.name()),
                ));
            }
        }
        let mut names = BTreeSet::new();
        for extractor in &self.features {
            let name = extractor.name();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
                return Err(Error::invalid(
                    "feature extractor",
                    format!("`{name}` is not a word of letters, digits, - and _"),
                ));
            }
            if !names.insert(name) {
                return Err(Error::invalid(
                    "feature extractor",
                    format!("two are called `{name}`; give each its name"),
                ));
            }
            if extractor.frames() == 0 {
                return Err(Error::invalid("feature extractor", format!("`{name}` has stretches of no frame")));
            }
        }
        match &self.a1_inception {
            Some(inception) if inception.variant() != InceptionVariant::Torchvision => {
                Err(Error::invalid("Inception of the released script", "it has to be torchvision's, not the FID's"))
            }
            _ => Ok(()),
        }
    }
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
