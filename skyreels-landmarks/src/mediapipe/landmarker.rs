//! The face landmarker: frame in, faces out.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use skyreels_core::{Error, Frame, Limits};

use super::blendshapes::BlendshapeNetwork;
use super::detector::{Detection, Detector, Square};
use super::face::Face;
use super::geometry::HeadModel;
use super::mesh::MeshNetwork;
use super::metadata::Metadata;
use super::region::face_region;
use super::second_look;
use crate::Result;
use crate::task::FaceTask;

/// Finds faces in frames.
///
/// The pipeline asks for this, not for MediaPipe, so that another network can take its place.
pub trait FaceTracker {
    /// The faces of one frame, best first; empty if there is none.
    ///
    /// # Errors
    /// A frame without pixels, or a device that fails. "No face" is no error.
    fn detect(&self, frame: &Frame) -> Result<Vec<Face>>;
}

/// When a face counts as found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LandmarkerOptions {
    /// Least score of the detector, 0..1.
    pub min_detection_confidence: f32,
    /// A face is kept if the landmark network is surer than this, 0..1.
    pub min_presence_confidence: f32,
    /// Most faces of a frame.
    pub max_faces: usize,
    /// Where the whole frame shows no face, look again closer: around weak detections, then tile by tile.
    ///
    /// Finds small faces that MediaPipe misses; without it the answers are MediaPipe's.
    pub second_look: bool,
}

impl Default for LandmarkerOptions {
    /// MediaPipe's defaults: both confidences 0.5, one face, no second look.
    fn default() -> Self {
        Self { min_detection_confidence: 0.5, min_presence_confidence: 0.5, max_faces: 1, second_look: false }
    }
}

/// MediaPipe's face landmarker in image mode, from the user's `.task` file.
///
/// Detection (BlazeFace) in the letterboxed frame, a rotated crop per face, 478 points, presence, 52 blendshapes and
/// the head's pose. Each frame is looked at on its own: no tracking, no smoothing. Clones share their networks.
#[derive(Clone)]
pub struct FaceLandmarker {
    networks: Arc<Networks>,
    options: LandmarkerOptions,
}

struct Networks {
    detector: Detector,
    mesh: MeshNetwork,
    blendshapes: BlendshapeNetwork,
    head: HeadModel,
}

impl FaceLandmarker {
    /// Opens a face landmarker bundle (a `.task` file) with the default options.
    ///
    /// # Errors
    /// The path if there is no such file; the member and what is wrong with it if it is not the published kind of
    /// bundle. The file is read under `limits` and never trusted.
    pub fn open(task: &Path, limits: &Limits, device: &Device) -> Result<Self> {
        let task = FaceTask::open(task, limits)?;
        let metadata = Metadata::read(&task.geometry)
            .map_err(|reason| task.malformed("geometry_pipeline_metadata_landmarks.binarypb", reason))?;
        let networks = Networks {
            detector: Detector::new(&task, device)?,
            mesh: MeshNetwork::new(&task, device)?,
            blendshapes: BlendshapeNetwork::new(&task, device)?,
            head: HeadModel::new(&metadata),
        };
        Ok(Self { networks: Arc::new(networks), options: LandmarkerOptions::default() })
    }

    /// The same networks with other options.
    #[must_use]
    pub fn with_options(&self, options: LandmarkerOptions) -> Self {
        Self { networks: Arc::clone(&self.networks), options }
    }

    /// The options in use.
    pub fn options(&self) -> &LandmarkerOptions {
        &self.options
    }

    /// The 468 points of the canonical face in centimetres, the frame of [`Face::head_points`].
    pub fn canonical_points(&self) -> &[[f32; 3]] {
        self.networks.head.canonical()
    }

    /// The faces of one frame, best first; empty if there is none.
    ///
    /// # Errors
    /// A frame without pixels, or a device that fails.
    pub fn detect(&self, frame: &Frame) -> Result<Vec<Face>> {
        if frame.width() == 0 || frame.height() == 0 {
            return Err(Error::invalid("frame", format!("{}x{} has no pixels", frame.width(), frame.height())).into());
        }
        let whole = Square::whole(frame);
        let faces = self.faces_in(frame, whole)?;
        if !faces.is_empty() || !self.options.second_look {
            return Ok(faces);
        }
        let weak = self.networks.detector.detect(frame, whole, second_look::WEAK_SCORE)?;
        for squares in [second_look::around(&weak, frame), second_look::tiles(frame)] {
            let mut found = Vec::new();
            for square in squares {
                found.extend(self.faces_in(frame, square)?);
            }
            if !found.is_empty() {
                return Ok(second_look::best(found, self.options.max_faces));
            }
        }
        Ok(Vec::new())
    }

    /// The faces that the detector finds inside a square.
    fn faces_in(&self, frame: &Frame, square: Square) -> Result<Vec<Face>> {
        let mut faces = Vec::new();
        let detections = self.networks.detector.detect(frame, square, self.options.min_detection_confidence)?;
        for detection in detections.iter().take(self.options.max_faces) {
            faces.extend(self.face_at(frame, detection)?);
        }
        Ok(faces)
    }

    /// Everything about a detected face; `None` if the landmark network sees none there.
    fn face_at(&self, frame: &Frame, detection: &Detection) -> Result<Option<Face>> {
        let networks = &*self.networks;
        let size = [frame.width() as f32, frame.height() as f32];
        let (landmarks, presence) = networks.mesh.run(frame, &face_region(detection, size))?;
        let present = presence > self.options.min_presence_confidence;
        if !present || landmarks.iter().flatten().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        let Some(fit) = networks.head.fit(&landmarks, size) else { return Ok(None) };
        let blendshapes = networks.blendshapes.run(&landmarks, size)?;
        let ([left, top], [right, bottom]) = (detection.min, detection.max);
        Ok(Some(Face {
            landmarks,
            blendshapes,
            matrix: fit.matrix,
            head_points: fit.head,
            presence,
            score: detection.score,
            bbox: [left, top, right, bottom],
        }))
    }
}

impl FaceTracker for FaceLandmarker {
    fn detect(&self, frame: &Frame) -> Result<Vec<Face>> {
        Self::detect(self, frame)
    }
}
