//! The network with everything around it.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::checkpoint::Weights;
use skyreels_core::{Frame, Limits, Precision, Progress};

use super::decode::{OVERLAP, SCORE_THRESHOLD, StrideOutput, candidates, faces};
use super::letterbox::Letterbox;
use super::network::{ScrfdConfig, ScrfdNetwork, StrideTensors};
use crate::Result;
use crate::detection::{Detection, FaceDetector};
use crate::inference::values;

/// Width and height of the original's input; other sizes must be multiples of 32.
pub const INPUT: [u32; 2] = [640, 640];
/// How errors call the network.
const NAME: &str = "SCRFD";

/// In which order the network sees the channels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channels {
    /// Red, green, blue: what it was trained on.
    #[default]
    Rgb,
    /// Blue, green, red: what the original gives it by mistake. Boxes differ by a few pixels, and every drawing with them.
    Original,
}

/// SCRFD on a device.
#[derive(Debug, Clone)]
pub struct Scrfd {
    network: ScrfdNetwork,
    device: Device,
    /// Faces with less certainty are left out.
    pub threshold: f32,
    /// Order of the channels.
    pub channels: Channels,
}

impl Scrfd {
    /// A detector with a network that lies on `device` and the original's threshold.
    pub fn new(network: ScrfdNetwork, device: &Device) -> Self {
        Self { network, device: device.clone(), threshold: SCORE_THRESHOLD, channels: Channels::Rgb }
    }

    /// Opens the network that `scripts/convert-face-models` wrote.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) for a file that is missing or damaged, or whose tensors are not the network's.
    pub fn open(path: impl AsRef<Path>, limits: &Limits, device: &Device) -> Result<Self> {
        let network = ScrfdConfig::default().init(device);
        let network = Weights::open(path, limits)?.load(network, Precision::F32, Progress::none())?;
        Ok(Self::new(network, device))
    }
}

impl FaceDetector for Scrfd {
    /// Faces of a picture, best first: the original takes the first one.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a picture without pixels; [`Error::Inference`](crate::Error::Inference)
    /// when the device fails.
    fn detect(&self, picture: &Frame) -> Result<Vec<Detection>> {
        let letterbox = Letterbox::fit([picture.width(), picture.height()], INPUT)?;
        let mut blob = letterbox.blob(picture)?;
        if self.channels == Channels::Original {
            let plane = blob.len() / 3;
            let (red, rest) = blob.split_at_mut(plane);
            red.swap_with_slice(&mut rest[plane..]);
        }
        let [width, height] = INPUT.map(|side| side as usize);
        let input = Tensor::from_data(TensorData::new(blob, [1, 3, height, width]), (&self.device, DType::F32));
        let outputs = self.network.forward(input).map(on_host);
        let outputs: Vec<StrideOutput> = outputs.into_iter().collect::<Result<_>>()?;
        Ok(faces(&candidates(&outputs, INPUT[0], letterbox.scale, self.threshold), OVERLAP))
    }
}

fn on_host(output: StrideTensors) -> Result<StrideOutput> {
    Ok(StrideOutput {
        stride: output.stride,
        scores: values(NAME, output.scores)?,
        edges: values(NAME, output.edges)?.as_chunks().0.to_vec(),
        points: values(NAME, output.points)?.as_chunks().0.to_vec(),
    })
}
