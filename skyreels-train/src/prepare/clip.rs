//! One clip with all that training asks for.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_core::{Frame, Progress};
use skyreels_dit::SiglipVisionTower;
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::{
    ClipPlan, CropBox, Error as LandmarkError, Face, FaceBox, FaceTracker, GuideLayout, MeshRetargeter, Motion,
    PortraitFace, Retargeter, aligned_face, guide_clip,
};
use skyreels_vae::{CausalVae, Tiling};

use super::CELL;
use super::filter::{Reason, Rejection};
use super::measure::Measure;
use super::settings::Settings;
use crate::data::{Latents, mix};
use crate::flow::{FlowField, OpticalFlow};
use crate::loss::{FaceAware, pooled};
use crate::{Error, Result};

/// What looks at frames.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Finds faces; it should be able to find more than one.
    pub tracker: &'a dyn FaceTracker,
    /// Says what moves.
    pub flow: &'a dyn OpticalFlow,
    /// How motion becomes weights.
    pub weights: FaceAware,
    /// Networks whose answers are kept beside the pixels.
    pub encoders: Encoders<'a>,
}

/// Networks whose answers do not change in training, so that they can be kept.
#[derive(Clone, Copy, Default)]
pub struct Encoders<'a> {
    /// The VAE, how it tiles, and where it is.
    pub vae: Option<(&'a CausalVae, Tiling, &'a Device)>,
    /// The vision tower, and where it is.
    pub siglip: Option<(&'a SiglipVisionTower, &'a Device)>,
}

/// A clip as training uses it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedClip {
    /// The video, frames of one size.
    pub frames: Vec<Frame>,
    /// The guide clip: the landmarks of the first frame, then the retargeted face of the others. As many, of the same size.
    pub guide: Vec<Frame>,
    /// The face of one frame of the clip, turned upright, `[512, 512, 3]`: what the vision tower reads.
    pub identity: Frame,
    /// Weights of the loss, means over squares of [`CELL`] pixels, `[frames, height / 8, width / 8]`.
    pub weights: Vec<f32>,
    /// What the VAE says of the frames, where it was asked.
    pub latents: Option<Latents>,
    /// What the vision tower says of the face, `[tokens, width]`, where it was asked.
    pub tokens: Option<TensorData>,
}

impl PreparedClip {
    /// Frames, height and width of the weights.
    pub fn weights_size(&self) -> [usize; 3] {
        let (width, height) = self.frames.first().map_or((0, 0), Frame::dimensions);
        [self.frames.len(), height as usize / CELL, width as usize / CELL]
    }
}

/// Frames of a shot on the model's canvas, and who is in them.
#[derive(Debug, Default)]
pub(super) struct Take {
    pub(super) frames: Vec<Frame>,
    pub(super) faces: Vec<Vec<Face>>,
    /// Second of the video at which it begins.
    pub(super) start: f64,
}

impl Take {
    /// What training asks for, or why it cannot have it. `number` of the clip is part of the seed.
    pub(super) fn clip(
        &self,
        settings: &Settings,
        tools: &Tools,
        number: u64,
        progress: Progress,
    ) -> Result<std::result::Result<(PreparedClip, Measure), Rejection>> {
        let faces = match settings.faces.single(&self.faces) {
            Ok(faces) => faces,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let (Some(first), seen) = (faces[0], faces.iter().flatten().copied().collect::<Vec<_>>()) else {
            return Ok(Err((Reason::NoFace, "the first frame shows none".into())));
        };
        let measure = Measure::of(&seen);
        let shown: Vec<usize> = (0..faces.len()).filter(|index| faces[*index].is_some()).collect();
        let chosen = shown[(mix(settings.seed, number) % shown.len() as u64) as usize];
        let portrait = faces[chosen].unwrap_or(first);
        let [width, height] = settings.size.map(f64::from);
        let on_canvas = |[x, y, _]: &[f32; 3]| [f64::from(*x) * width, f64::from(*y) * height];
        let points: Vec<[f64; 2]> = portrait.landmarks.iter().map(on_canvas).collect();
        let Some(identity) = aligned_face(&self.frames[chosen], &points) else {
            return Ok(Err((Reason::NoFace, format!("eyes, nose and mouth of frame {chosen} coincide"))));
        };
        let guide = match self.guide(first, &faces, settings) {
            // A face at the edge of the frame, or a pose that is none: no reason to stop.
            Err(Error::Landmarks(error @ (LandmarkError::Invalid { .. } | LandmarkError::NoFace { .. }))) => {
                return Ok(Err((Reason::Unsteady, error.to_string())));
            }
            guide => guide?,
        };
        let flows = tools.flow.between(&self.frames, progress)?;
        let magnitudes: Vec<Vec<f32>> = flows.iter().map(FlowField::magnitude).collect();
        let [width, height] = settings.size.map(|side| side as usize);
        let weights = tools.weights.clip_weights(&magnitudes, width * height);
        let frames = self.frames.len();
        let weights = pooled(&weights, [frames, height, width], [frames, height / CELL, width / CELL])?;
        let latents = tools.encoders.latents(&self.frames, progress)?;
        let tokens = tools.encoders.tokens(&identity)?;
        Ok(Ok((PreparedClip { frames: self.frames.clone(), guide, identity, weights, latents, tokens }, measure)))
    }

    /// As the pipeline draws it for a portrait that is the first frame and a motion that is the clip's own.
    fn guide(&self, first: &Face, faces: &[Option<&Face>], settings: &Settings) -> Result<Vec<Frame>> {
        let crop = CropBox::around(&FaceBox::of_landmarks(first, settings.size), settings.size)?;
        let portrait = PortraitFace::in_crop(first, settings.size, &crop)?;
        let motion = Motion::from_faces(faces.iter().map(|face| face.cloned()), f64::from(settings.rate))?.motion;
        let moved = MeshRetargeter::default().retarget(&portrait, &motion)?;
        let plan = ClipPlan { motion: (1..faces.len()).collect(), keep: faces.len() };
        let layout = GuideLayout { canvas: settings.size, crop, border: Border::Clip };
        Ok(guide_clip(&portrait, &moved, &plan, &layout, Progress::none())?)
    }
}

impl Encoders<'_> {
    fn latents(&self, frames: &[Frame], progress: Progress) -> Result<Option<Latents>> {
        let Some((vae, tiling, device)) = self.vae else { return Ok(None) };
        let posterior = vae.encode(frames_to_tensor(frames, device), tiling, progress)?;
        let data = |tensor: Tensor<5>| read("latents", tensor.squeeze_dim::<4>(0));
        Ok(Some(Latents { mean: data(posterior.mean)?, logvar: data(posterior.logvar)? }))
    }

    fn tokens(&self, face: &Frame) -> Result<Option<TensorData>> {
        let Some((tower, device)) = self.siglip else { return Ok(None) };
        let side = tower.config().image_size as u32;
        let face = resize_pillow(face, side, side, Filter::Bicubic)?;
        let tokens = tower.forward(tower.config().pixel_values(&face, device)?)?;
        Ok(Some(read("identity tokens", tokens.squeeze_dim::<2>(0))?))
    }
}

fn read<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<TensorData> {
    tensor.cast(DType::F32).try_into_data().map_err(|error| Error::Inference { what, reason: error.to_string() })
}
