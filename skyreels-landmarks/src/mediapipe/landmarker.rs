//! The face landmarker: frame in, faces out.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use skyreels_core::{Error, Frame, Limits};

use super::blendshapes::BlendshapeNetwork;
use super::detector::{Detector, Square};
use super::face::{Face, bounds};
use super::geometry::HeadModel;
use super::mesh::MeshNetwork;
use super::metadata::Metadata;
use super::options::{LandmarkerOptions, StreamOptions};
use super::region::face_region;
use super::second_look;
use super::stream::{FaceStream, LandmarkStream};
use super::warp::Region;
use crate::Result;
use crate::task::FaceTask;

/// Finds faces in pictures and follows them through streams.
///
/// The pipeline asks for this, not for MediaPipe, so that another network can take its place.
pub trait FaceTracker {
    /// The faces of one picture, best first; empty if there is none. They have no [`Face::id`].
    ///
    /// # Errors
    /// A frame without pixels, or a device that fails. "No face" is no error.
    fn detect(&self, frame: &Frame) -> Result<Vec<Face>>;

    /// Begins a stream: frames that follow each other in time.
    ///
    /// # Errors
    /// Options that cannot be meant.
    fn stream(&self, options: &StreamOptions) -> Result<Box<dyn FaceStream>>;
}

/// MediaPipe's face landmarker, from the user's `.task` file.
///
/// Detection (BlazeFace) in the letterboxed frame, a rotated crop per face, 478 points, presence, 52 blendshapes and
/// the head's pose. [`detect`](Self::detect) looks at a picture on its own, [`stream`](Self::stream) at frames that follow
/// each other. Clones share their networks.
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

/// A place where a face may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) region: Region,
    pub(super) score: f32,
    /// Whose face it was in the last frame, if this place was found by it.
    pub(super) id: Option<u32>,
}

/// A face's points, before anything is made of them.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    pub(super) id: Option<u32>,
    pub(super) landmarks: Vec<[f32; 3]>,
    pub(super) presence: f32,
    pub(super) score: f32,
    pub(super) bbox: [f32; 4],
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
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] names an option that cannot be meant.
    pub fn with_options(&self, options: LandmarkerOptions) -> Result<Self> {
        options.validate()?;
        Ok(Self { networks: Arc::clone(&self.networks), options })
    }

    /// The options in use.
    pub fn options(&self) -> &LandmarkerOptions {
        &self.options
    }

    /// The 468 points of the canonical face in centimetres, the frame of [`Face::head_points`].
    pub fn canonical_points(&self) -> &[[f32; 3]] {
        self.networks.head.canonical()
    }

    /// The faces of one picture, best first; empty if there is none.
    ///
    /// # Errors
    /// A frame without pixels, or a device that fails.
    pub fn detect(&self, frame: &Frame) -> Result<Vec<Face>> {
        let size = size(frame)?;
        let mut faces = Vec::new();
        for sight in self.sights(frame)? {
            faces.extend(self.face(sight, size)?);
        }
        Ok(faces)
    }

    /// Begins a stream: frames that follow each other in time, each answered before the next is asked for.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] names an option that cannot be meant.
    pub fn stream(&self, options: &StreamOptions) -> Result<Box<dyn FaceStream>> {
        Ok(Box::new(LandmarkStream::new(self.clone(), *options)?))
    }

    /// The faces of a frame that is looked at on its own.
    pub(super) fn sights(&self, frame: &Frame) -> Result<Vec<Sight>> {
        let mut found = Vec::new();
        for candidate in self.candidates(frame)? {
            found.extend(self.look(frame, &candidate)?);
        }
        if found.is_empty() { self.second_look(frame) } else { Ok(found) }
    }

    /// Where the detector sees faces in the whole frame, best first.
    pub(super) fn candidates(&self, frame: &Frame) -> Result<Vec<Candidate>> {
        self.candidates_in(frame, Square::whole(frame))
    }

    fn candidates_in(&self, frame: &Frame, square: Square) -> Result<Vec<Candidate>> {
        let size = [frame.width() as f32, frame.height() as f32];
        let detections = self.networks.detector.detect(frame, square, self.options.min_detection_confidence)?;
        let candidate = |d: &_| Candidate { region: face_region(d, size), score: d.score, id: None };
        Ok(detections.iter().take(self.options.max_faces).map(candidate).collect())
    }

    /// Faces that only show closer, where the options ask for that.
    pub(super) fn second_look(&self, frame: &Frame) -> Result<Vec<Sight>> {
        if !self.options.second_look {
            return Ok(Vec::new());
        }
        let weak = self.networks.detector.detect(frame, Square::whole(frame), second_look::WEAK_SCORE)?;
        for squares in [second_look::around(&weak, frame), second_look::tiles(frame)] {
            let mut found = Vec::new();
            for square in squares {
                for candidate in self.candidates_in(frame, square)? {
                    found.extend(self.look(frame, &candidate)?);
                }
            }
            if !found.is_empty() {
                return Ok(second_look::best(found, self.options.max_faces));
            }
        }
        Ok(Vec::new())
    }

    /// The points of the face at a place; `None` if the landmark network sees none there, or one that is too small.
    pub(super) fn look(&self, frame: &Frame, candidate: &Candidate) -> Result<Option<Sight>> {
        let (landmarks, presence) = self.networks.mesh.run(frame, &candidate.region)?;
        let present = presence > self.options.min_presence_confidence;
        if !present || landmarks.iter().flatten().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        let bbox = bounds(&landmarks);
        let pixels = ((bbox[2] - bbox[0]) * frame.width() as f32).max((bbox[3] - bbox[1]) * frame.height() as f32);
        let Candidate { id, score, .. } = *candidate;
        let large = pixels >= self.options.min_face_pixels as f32;
        Ok(large.then_some(Sight { id, landmarks, presence, score, bbox }))
    }

    /// Everything about a face; `None` if its points span no volume.
    pub(super) fn face(&self, sight: Sight, size: [f32; 2]) -> Result<Option<Face>> {
        let Sight { id, landmarks, presence, score, bbox } = sight;
        let Some(fit) = self.networks.head.fit(&landmarks, size) else { return Ok(None) };
        let blendshapes = self.networks.blendshapes.run(&landmarks, size)?;
        Ok(Some(Face { id, landmarks, blendshapes, matrix: fit.matrix, head_points: fit.head, presence, score, bbox }))
    }
}

/// Width and height of a frame that has pixels.
pub(super) fn size(frame: &Frame) -> Result<[f32; 2]> {
    if frame.width() == 0 || frame.height() == 0 {
        return Err(Error::invalid("frame", format!("{}x{} has no pixels", frame.width(), frame.height())).into());
    }
    Ok([frame.width() as f32, frame.height() as f32])
}

impl FaceTracker for FaceLandmarker {
    fn detect(&self, frame: &Frame) -> Result<Vec<Face>> {
        Self::detect(self, frame)
    }

    fn stream(&self, options: &StreamOptions) -> Result<Box<dyn FaceStream>> {
        Self::stream(self, options)
    }
}
