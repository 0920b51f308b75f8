//! The network with everything around it.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::checkpoint::Weights;
use skyreels_core::{Frame, Limits, Precision, Progress};

use super::decode::{Priors, SCORE_THRESHOLD};
use super::network::{RetinaFaceConfig, RetinaFaceNetwork, RetinaFaceOutput};
use crate::detection::{Detection, FaceDetector};
use crate::inference::values;
use crate::{Error, Result};

/// How errors call the network.
const NAME: &str = "RetinaFace";
/// Means of blue, green and red that are taken away.
const MEANS: [f32; 3] = [104.0, 117.0, 123.0];

/// RetinaFace on a device.
#[derive(Debug, Clone)]
pub struct RetinaFace {
    network: RetinaFaceNetwork,
    device: Device,
    /// Faces with less certainty are left out.
    pub threshold: f32,
}

impl RetinaFace {
    /// A detector with a network that lies on `device` and the original's threshold.
    pub fn new(network: RetinaFaceNetwork, device: &Device) -> Self {
        Self { network, device: device.clone(), threshold: SCORE_THRESHOLD }
    }

    /// Opens the network that `scripts/convert-face-models` wrote.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or damaged, or whose tensors are not the network's.
    pub fn open(path: impl AsRef<Path>, limits: &Limits, device: &Device) -> Result<Self> {
        let network = RetinaFaceConfig.init(device);
        let network = Weights::open(path, limits)?.load(network, Precision::F32, Progress::none())?;
        Ok(Self::new(network, device))
    }

    /// What the network says about a picture.
    pub(crate) fn look(&self, picture: &Frame) -> RetinaFaceOutput {
        let (width, height) = picture.dimensions();
        let plane = |channel: usize| picture.pixels().map(move |p| f32::from(p[2 - channel]) - MEANS[channel]);
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        let shape = [1, 3, height as usize, width as usize];
        self.network.forward(Tensor::from_data(TensorData::new(values, shape), (&self.device, DType::F32)))
    }
}

impl FaceDetector for RetinaFace {
    /// Faces of a picture at its own size, best first.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a picture without pixels; [`Error::Inference`] when the device fails.
    fn detect(&self, picture: &Frame) -> Result<Vec<Detection>> {
        if picture.width() == 0 || picture.height() == 0 {
            return Err(Error::invalid("picture", "it has no pixels"));
        }
        let output = self.look(picture);
        let [boxes, classes, points] =
            [values(NAME, output.boxes)?, values(NAME, output.classes)?, values(NAME, output.points)?];
        let scores: Vec<f32> = classes.iter().skip(1).step_by(2).copied().collect();
        let (boxes, points) = (boxes.as_chunks().0, points.as_chunks().0);
        Ok(Priors::of([picture.width(), picture.height()]).faces(boxes, &scores, points, self.threshold))
    }
}
