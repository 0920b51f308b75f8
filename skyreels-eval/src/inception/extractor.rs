//! A network with everything around it, and the door for others.

use std::path::Path;

use burn::tensor::Device;
use skyreels_core::checkpoint::Weights;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_core::{Frame, Limits, Precision, Progress};

use super::network::{InceptionConfig, InceptionNetwork, InceptionVariant};
use super::{FEATURES, INPUT_SIDE};
use crate::inference::{BATCH, rows, unit_range};
use crate::{Error, Result};

/// Features of stretches of video, of which a distance between sets of videos can be made.
///
/// Pictures are stretches of one frame: with Inception's features [`frechet_distance`](crate::frechet_distance) is the FID.
/// A network that looks at several frames at once (I3D, VideoMAE, ..) gives the FVD from the same code.
pub trait FeatureExtractor: Send + Sync {
    /// The name by which the report calls the distance.
    fn name(&self) -> &str;

    /// Frames of one stretch, at least 1.
    fn frames(&self) -> usize;

    /// Numbers of one feature.
    fn width(&self) -> usize;

    /// The feature of each stretch.
    ///
    /// # Errors
    /// Stretches of another length, pictures without pixels, or a device that fails.
    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>>;
}

/// The features of stretches, as the extractor has promised them.
///
/// # Errors
/// Those of the extractor; [`Error::Mismatch`] when it gives too few or too many, or features of another length than it says;
/// [`Error::NotFinite`] for a number that is none.
pub(crate) fn features_of(extractor: &dyn FeatureExtractor, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
    let features = extractor.features(stretches)?;
    let named = |what: &str| format!("{what} of the extractor `{}`", extractor.name());
    if features.len() != stretches.len() {
        return Err(Error::mismatch(named("stretches and features"), stretches.len(), features.len()));
    }
    for (index, feature) in features.iter().enumerate() {
        if feature.len() != extractor.width() {
            return Err(Error::mismatch(named("numbers of a feature"), extractor.width(), feature.len()));
        }
        if feature.iter().any(|value| !value.is_finite()) {
            return Err(Error::not_finite(named("features"), format!("a number of feature {index}")));
        }
    }
    Ok(features)
}

/// Inception-v3 on a device.
#[derive(Debug, Clone)]
pub struct InceptionExtractor {
    network: InceptionNetwork,
    device: Device,
}

impl InceptionExtractor {
    /// An extractor with a network that lies on `device`.
    pub fn new(network: InceptionNetwork, device: &Device) -> Self {
        Self { network, device: device.clone() }
    }

    /// Opens a file that `scripts/convert-face-models` wrote.
    ///
    /// The keys of both variants are the same, so that only the user can say which one it is.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or damaged, or whose tensors are not the network's.
    pub fn open(path: impl AsRef<Path>, variant: InceptionVariant, limits: &Limits, device: &Device) -> Result<Self> {
        let network = InceptionConfig { variant }.init(device);
        let network = Weights::open(path, limits)?.load(network, Precision::F32, Progress::none())?;
        Ok(Self::new(network, device))
    }

    /// Which of the two networks it is.
    pub fn variant(&self) -> InceptionVariant {
        self.network.variant()
    }

    /// The features of pictures, in batches of pictures of one size.
    ///
    /// FID's variant brings each picture to 299 x 299 as pytorch-fid does, in floating point; for torchvision's, Pillow's
    /// bilinear filter does it, as in the original's script.
    ///
    /// # Errors
    /// [`Error::Empty`] for a picture without pixels; [`Error::Inference`] and
    /// [`Error::NotFinite`] when the device fails. No picture gives no feature.
    pub fn pictures(&self, pictures: &[Frame]) -> Result<Vec<Vec<f32>>> {
        let resized: Vec<Frame>;
        let pictures = match self.network.variant() {
            InceptionVariant::Fid => pictures,
            InceptionVariant::Torchvision => {
                let side = INPUT_SIDE as u32;
                let resize = |picture| resize_pillow(picture, side, side, Filter::Bilinear);
                resized = pictures.iter().map(resize).collect::<Result<_, _>>()?;
                &resized
            }
        };
        let mut features = Vec::with_capacity(pictures.len());
        for run in pictures.chunk_by(|a, b| a.dimensions() == b.dimensions()) {
            for batch in run.chunks(BATCH) {
                features.extend(rows("Inception", self.network.forward(unit_range(batch, &self.device)?))?);
            }
        }
        Ok(features)
    }
}

impl FeatureExtractor for InceptionExtractor {
    fn name(&self) -> &str {
        match self.network.variant() {
            InceptionVariant::Fid => "fid",
            InceptionVariant::Torchvision => "fid-torchvision",
        }
    }

    fn frames(&self) -> usize {
        1
    }

    fn width(&self) -> usize {
        FEATURES
    }

    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
        let pictures: Vec<Frame> = stretches.iter().flat_map(|stretch| stretch.iter().cloned()).collect();
        if pictures.len() != stretches.len() || stretches.iter().any(|stretch| stretch.len() != 1) {
            return Err(Error::mismatch("stretch of frames", "one frame", "several"));
        }
        self.pictures(&pictures)
    }
}
