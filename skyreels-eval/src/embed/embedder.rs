//! A network with everything around it.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Weights;
use skyreels_core::{Frame, Limits, Precision, Progress};
use skyreels_landmarks::arcface_face;

use super::arcface::{ArcFaceConfig, ArcFaceNetwork};
use super::curricular::{CurricularFaceConfig, CurricularFaceNetwork};
use crate::inference::{BATCH, rows, unit_range};
use crate::{Error, Result};

/// Side of the aligned face that the networks see, in pixels.
pub const FACE_SIDE: u32 = 112;

/// A face recognition network.
#[allow(clippy::large_enum_variant, reason = "there is one of them, for the whole run")]
#[derive(Debug, Clone)]
pub enum IdentityNetwork {
    /// insightface's iresnet.
    ArcFace(Box<ArcFaceNetwork>),
    /// CurricularFace's IR-101.
    CurricularFace(Box<CurricularFaceNetwork>),
}

impl IdentityNetwork {
    fn name(&self) -> &'static str {
        match self {
            Self::ArcFace(_) => "ArcFace",
            Self::CurricularFace(_) => "CurricularFace",
        }
    }
}

/// A face recognition network on a device.
#[derive(Debug, Clone)]
pub struct FaceEmbedder {
    network: IdentityNetwork,
    device: Device,
}

impl FaceEmbedder {
    /// An embedder with a network that lies on `device`.
    pub fn new(network: IdentityNetwork, device: &Device) -> Self {
        Self { network, device: device.clone() }
    }

    /// Opens a file that `scripts/convert-face-models` wrote: whether it is ArcFace, how deep, or CurricularFace, its keys tell.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or damaged or whose tensors are not the network's; [`Error::Invalid`] when
    /// its keys are those of no network known here.
    pub fn open(path: impl AsRef<Path>, limits: &Limits, device: &Device) -> Result<Self> {
        let path = path.as_ref();
        let weights = Weights::open(path, limits)?;
        let network = if weights.contains("input_layer.0.weight") {
            let network = weights.load(CurricularFaceConfig.init(device), Precision::F32, Progress::none())?;
            IdentityNetwork::CurricularFace(Box::new(network))
        } else if let Some(config) = ArcFaceConfig::of_keys(weights.shapes().map(|(key, _)| key)) {
            let network = weights.load(config.init(device), Precision::F32, Progress::none())?;
            IdentityNetwork::ArcFace(Box::new(network))
        } else {
            let reason = format!(
                "{} holds neither an iresnet (layer1.0.bn1.weight, ..) nor an IR-101 (input_layer.0.weight, ..); \
                 convert the published file with scripts/convert-face-models",
                path.display()
            );
            return Err(Error::invalid("face recognition network", reason));
        };
        Ok(Self::new(network, device))
    }

    /// The name of the network's kind in reports: `arcface` or `curricularface`.
    pub fn key(&self) -> &'static str {
        match self.network {
            IdentityNetwork::ArcFace(_) => "arcface",
            IdentityNetwork::CurricularFace(_) => "curricularface",
        }
    }

    /// The name of the network's kind.
    pub fn name(&self) -> &'static str {
        self.network.name()
    }

    /// The face that the network looks at, `[112, 112, 3]`, from five points in pixels in the order of
    /// [`Detection::points`](skyreels_landmarks::detection::Detection::points); `None` when they coincide or are not finite.
    ///
    /// ArcFace's template, directly at 112 pixels for both networks. (The original cuts 224 pixels for CurricularFace and
    /// halves them: see [`compat::curricular_face`](crate::compat::curricular_face).)
    pub fn face(picture: &Frame, points: &[[f64; 2]; 5]) -> Option<Frame> {
        arcface_face(picture, points, FACE_SIDE)
    }

    /// The embeddings of aligned faces, in batches, as the network gives them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for faces that have not 112 x 112 pixels; [`Error::Inference`] and [`Error::NotFinite`] when the
    /// device fails. No face gives no embedding.
    pub fn embed(&self, faces: &[Frame]) -> Result<Vec<Vec<f32>>> {
        if let Some(face) = faces.iter().find(|face| face.dimensions() != (FACE_SIDE, FACE_SIDE)) {
            let (width, height) = face.dimensions();
            let expected = format!("{FACE_SIDE}x{FACE_SIDE} pixels");
            return Err(Error::mismatch("aligned face", format!("{width}x{height} pixels"), expected));
        }
        let mut embeddings = Vec::with_capacity(faces.len());
        for batch in faces.chunks(BATCH) {
            let input = unit_range(batch, &self.device)?.sub_scalar(0.5).div_scalar(0.5);
            embeddings.extend(rows(self.name(), self.forward(input))?);
        }
        Ok(embeddings)
    }

    fn forward(&self, faces: Tensor<4>) -> Tensor<2> {
        match &self.network {
            IdentityNetwork::ArcFace(network) => network.forward(faces),
            IdentityNetwork::CurricularFace(network) => network.forward(faces),
        }
    }
}
