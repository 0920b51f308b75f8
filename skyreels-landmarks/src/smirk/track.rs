//! From a picture with a face to FLAME's coefficients.

use skyreels_core::checkpoint::Weights;
use skyreels_core::{Device, Frame, Limits, Precision, Progress};

use super::{FaceSquare, SmirkConfig, SmirkEncoder};
use crate::flame::{EyePoints, FaceCoefficients};
use crate::inference::values;
use crate::{CropBox, Error, FlamePortrait, Result};

/// How errors call the networks.
const NAME: &str = "SMIRK";

/// SMIRK on a device, fed with the points that MediaPipe found.
#[derive(Debug, Clone)]
pub struct SmirkTracker {
    encoder: SmirkEncoder,
    device: Device,
}

impl SmirkTracker {
    /// A tracker with an encoder that lies on `device`.
    pub fn new(encoder: SmirkEncoder, device: &Device) -> Self {
        Self { encoder, device: device.clone() }
    }

    /// Opens the encoder that `scripts/convert-face-models` wrote.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or damaged, or whose tensors are not the encoder's.
    pub fn open(path: impl AsRef<std::path::Path>, limits: &Limits, device: &Device) -> Result<Self> {
        let weights = Weights::open(path, limits)?;
        let encoder = weights.load(SmirkConfig::default().init(device), Precision::F32, Progress::none())?;
        Ok(Self::new(encoder, device))
    }

    /// The coefficients of a face whose 478 points are given in pixels of `picture`, and the square that they were read
    /// from.
    ///
    /// Eyeballs look straight ahead; [`FlameModel::eye_pose`](crate::flame::FlameModel::eye_pose) turns them.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are not 478 finite points; [`Error::Inference`] when the device fails.
    pub fn coefficients(&self, picture: &Frame, points: &[[f64; 2]]) -> Result<(FaceCoefficients, FaceSquare)> {
        let eyes = EyePoints::of(points).ok_or_else(|| {
            Error::invalid("face points", format!("{} instead of {}", points.len(), crate::LANDMARKS))
        })?;
        let square = FaceSquare::around(points.iter().copied())?;
        let output = self.encoder.encode(&[square.cut(picture)], &self.device)?;
        let face = FaceCoefficients {
            rotation: array(values(NAME, output.pose)?),
            camera: array(values(NAME, output.camera)?),
            shape: values(NAME, output.shape)?,
            expression: values(NAME, output.expression)?,
            jaw: array(values(NAME, output.jaw)?),
            eyelids: array(values(NAME, output.eyelids)?),
            eye_pose: [0.0; 6],
            eyes: Some(eyes),
        };
        face.check()?;
        Ok((face, square))
    }

    /// The face of a portrait, to be drawn on `crop` of the picture.
    ///
    /// # Errors
    /// Those of [`coefficients`](Self::coefficients).
    pub fn portrait(&self, picture: &Frame, points: &[[f64; 2]], crop: CropBox) -> Result<FlamePortrait> {
        let (coefficients, square) = self.coefficients(picture, points)?;
        Ok(FlamePortrait { coefficients, square, crop })
    }
}

/// The heads have fixed widths.
fn array<const N: usize>(values: Vec<f32>) -> [f32; N] {
    std::array::from_fn(|i| values[i])
}
