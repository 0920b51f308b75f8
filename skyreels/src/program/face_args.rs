//! Options about faces: which one, how it is found and followed, and what carries its motion over.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use skyreels::Retargeting;
use skyreels::core::{Device, Limits};
use skyreels::landmarks::compact::{CompactLandmarker, CompactOptions};
use skyreels::landmarks::flame::FlameModel;
use skyreels::landmarks::smirk::SmirkTracker;
use skyreels::landmarks::{
    FaceLandmarker, FacePick, FaceTracker, LandmarkerOptions, MeshRetargeter, Smoothing, StreamOptions, TrackingMode,
};

use super::source::request;
use super::{Reporter, Result, nano};

/// Name of the face model's file, its size and its SHA-256, so that nobody has to trust a mirror.
const FACE_MODEL_HELP: &str = "give MediaPipe's face model with `--face-model FILE`: \
    face_landmarker_v2_with_blendshapes.task (3758596 bytes, \
    SHA-256 64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff), which Google publishes at \
    https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task; \
    rendered people do without";
/// How sure the original's detector has to be of a face in a driving frame; of one in the portrait it is 0.5.
const ORIGINAL_DRIVING_CONFIDENCE: f32 = 0.1;
/// Faces that are told apart in one frame.
const MAX_FACES: usize = 8;
/// What FLAME's way needs beside the face model.
const FLAME_HELP: &str = "FLAME moves a portrait by what SMIRK reads: give both `--smirk FILE` and `--flame FILE` \
    (scripts/convert-face-models makes them), or neither";

/// Where a face comes from.
#[derive(Debug, Args)]
pub struct FaceSource {
    /// MediaPipe's face_landmarker_v2_with_blendshapes.task, or the folder of a small network (`train` writes one, `landmarks`).
    /// Where it may be left out, the small network that comes with the program finds faces of rendered people; `eval`,
    /// `prepare` and `--compat` need MediaPipe's.
    #[arg(long, value_name = "FILE")]
    pub face_model: Option<PathBuf>,
    /// Which face of the picture: largest, center, score, or its number from the left, from 0.
    #[arg(long, default_value = "largest")]
    pub face: FacePick,
    /// Least score of the face detector, 0 to 1; the small network has none.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5, help_heading = "Face options")]
    pub min_detection: f32,
    /// Least certainty of the landmark network that it looks at a face, 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5, help_heading = "Face options")]
    pub min_presence: f32,
    /// Faces smaller than this many pixels of the picture do not count; the small network takes any.
    #[arg(long, value_name = "PIXELS", default_value_t = 0, help_heading = "Face options")]
    pub min_face: u32,
}

/// How a face is followed through a video.
#[derive(Debug, Args)]
#[command(next_help_heading = "Face options")]
pub struct Following {
    /// image: every frame on its own, as the original. video: with the help of the last frame, faster.
    #[arg(long, value_name = "MODE", default_value = "image")]
    pub tracking: TrackingMode,
    /// Takes the tremor out of the landmarks: off, one-euro, or one-euro:MIN_CUTOFF,BETA,DERIVATIVE_CUTOFF.
    #[arg(long, value_name = "FILTER", default_value = "off")]
    pub steady: Smoothing,
}

/// SMIRK, which reads FLAME's coefficients off a face.
#[derive(Debug, Args)]
#[command(next_help_heading = "Face options")]
pub struct SmirkFile {
    /// SMIRK's encoders, converted: FLAME's coefficients are read from faces too.
    #[arg(long, value_name = "FILE")]
    pub smirk: Option<PathBuf>,
}

/// How a portrait is moved: by the mesh, or the original's way from files that the user has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Face options")]
pub struct Moving {
    /// How much of the driver's shift the head goes along with: 0, as in the original, leaves it at its place, 1 is all of it.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub translation: f64,
    #[command(flatten)]
    pub smirk: SmirkFile,
    /// FLAME's head model, converted: with `--smirk`, portraits move the original's way instead of by the mesh.
    #[arg(long, value_name = "FILE")]
    pub flame: Option<PathBuf>,
}

impl FaceSource {
    /// Opens the face model; `what` needs it.
    pub fn landmarker(&self, what: &str, device: &Device) -> Result<FaceLandmarker> {
        let Some(path) = &self.face_model else {
            return Err(request("face model", format!("{what} needs one: {FACE_MODEL_HELP}")));
        };
        let options = self.options()?;
        Ok(FaceLandmarker::open(path, &Limits::default(), device)?.with_options(options)?)
    }

    fn options(&self) -> Result<LandmarkerOptions> {
        let options = LandmarkerOptions {
            min_detection_confidence: self.min_detection,
            min_presence_confidence: self.min_presence,
            max_faces: MAX_FACES,
            min_face_pixels: self.min_face,
            second_look: true,
        };
        options.validate()?;
        Ok(options)
    }

    /// The face model, or a small network: that of a folder, or the one that comes with the program. `compat` looks as the original looks at driving frames:
    /// it takes weak faces too, and never looks twice.
    pub fn tracker(&self, compat: bool, device: &Device, reporter: &Reporter) -> Result<Box<dyn FaceTracker>> {
        let folder = self.face_model.as_deref().filter(|path| path.is_dir());
        if !compat && (self.face_model.is_none() || folder.is_some()) {
            // It knows certainty alone, but nonsense is nonsense.
            self.options()?;
            let landmarker = match folder {
                Some(folder) => CompactLandmarker::open(folder, &Limits::default(), device)?,
                None => nano::landmarker(device, reporter)?,
            };
            return Ok(Box::new(landmarker.with_options(CompactOptions { min_presence: self.min_presence })));
        }
        let landmarker = self.landmarker("the original's way with driving frames", device)?;
        if !compat {
            return Ok(Box::new(landmarker));
        }
        let options = LandmarkerOptions {
            min_detection_confidence: ORIGINAL_DRIVING_CONFIDENCE,
            second_look: false,
            ..*landmarker.options()
        };
        Ok(Box::new(landmarker.with_options(options)?))
    }
}

impl Following {
    /// The options of the stream.
    pub fn options(&self) -> StreamOptions {
        StreamOptions { mode: self.tracking, smoothing: self.steady, ..StreamOptions::default() }
    }
}

impl SmirkFile {
    /// Opens the encoders, where they are given.
    pub fn open(&self, device: &Device) -> Result<Option<SmirkTracker>> {
        let open = |path| SmirkTracker::open(path, &Limits::default(), device);
        Ok(self.smirk.as_ref().map(open).transpose()?)
    }
}

impl Moving {
    /// The encoders and the retargeting that the files allow: FLAME's with both, the mesh's with none.
    pub fn open(&self, device: &Device) -> Result<(Option<SmirkTracker>, Retargeting)> {
        match (&self.smirk.smirk, &self.flame) {
            (None, None) => {
                let mesh = MeshRetargeter { translation: self.translation, ..MeshRetargeter::default() };
                Ok((None, Retargeting::Mesh(mesh)))
            }
            (Some(_), Some(_)) if self.translation != 0.0 => {
                Err(request("translation", "FLAME's way leaves the head at its place; leave --translation out".into()))
            }
            (Some(_), Some(flame)) => {
                let model = FlameModel::open(flame, &Limits::default())?;
                Ok((self.smirk.open(device)?, Retargeting::Flame(Arc::new(model))))
            }
            _ => Err(request("FLAME", FLAME_HELP.into())),
        }
    }
}
