//! Everything about an example that networks say which are never trained.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_core::{Frame, Progress};
use skyreels_dit::SiglipVisionTower;
use skyreels_vae::{CausalVae, LandmarkGuider, Posterior, Tiling};

use crate::Result;
use crate::data::{Example, Latents, Moving};
use crate::loss::{FaceAware, latent_weights};

/// An example as the denoiser's training sees it: computed once, used in every pass over the data.
///
/// Axes of latents are those of the denoiser, `[1, frames, channels, height, width]`; all tensors are f32 and without gradients.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// Mean and deviation of the video's latents, scaled.
    pub video: [Tensor<5>; 2],
    /// Mean and deviation of the portrait's latents, scaled; one frame.
    pub image: [Tensor<5>; 2],
    /// What the guider is shown, or what it says.
    pub guide: GuideClip,
    /// Tokens of the vision tower, `[1, tokens, width]`.
    pub identity: Tensor<3>,
    /// Weights of the face-aware loss, `[1, frames, 1, height, width]`; `None` where the flow is not known.
    pub weights: Option<Tensor<5>>,
}

/// The guide clip, as far as it need not be computed again.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
pub enum GuideClip {
    /// The guider is trained: its input, 8-bit.
    Frames(Vec<Frame>),
    /// The guider is frozen: its control latents, scaled.
    Latents(Tensor<5>),
}

impl Encoded {
    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        let floats = |dims: &[usize]| 4 * dims.iter().product::<usize>();
        let guide = match &self.guide {
            GuideClip::Latents(latents) => floats(&latents.dims()),
            GuideClip::Frames(frames) => frames.iter().map(|frame| frame.as_raw().len()).sum(),
        };
        let latents = self.video.iter().chain(&self.image).chain(&self.weights);
        guide + floats(&self.identity.dims()) + latents.map(|tensor| floats(&tensor.dims())).sum::<usize>()
    }
}

/// The networks that are not trained.
#[derive(Debug)]
pub struct Encoder<'a> {
    /// The video VAE.
    pub vae: &'a CausalVae,
    /// The vision tower.
    pub siglip: &'a SiglipVisionTower,
    /// The landmark guider, where it is frozen.
    pub guider: Option<&'a LandmarkGuider>,
    /// Weights of the loss from flow; `None` weighs everything alike.
    pub face_aware: Option<FaceAware>,
    /// Tiles of the VAE.
    pub tiling: Tiling,
}

impl Encoder<'_> {
    /// Encodes an example, as inference encodes its inputs.
    ///
    /// # Errors
    /// Those of [`Example::check`] and of the networks.
    pub fn encode(&self, example: &Example, device: &Device) -> Result<Encoded> {
        example.check()?;
        let video = match &example.latents {
            Some(latents) => kept(latents, device),
            None => self.vae.encode(frames_to_tensor(&example.video, device), self.tiling, Progress::none())?,
        };
        let portrait = frames_to_tensor(std::slice::from_ref(&example.portrait), device);
        let image = self.vae.encode(portrait, self.tiling, Progress::none())?;
        let video = self.moments(video);
        let guide = match self.guider {
            Some(guider) => {
                // As at inference, the guider works on whole frames.
                let clip = frames_to_tensor(&example.guide, device);
                GuideClip::Latents(guider.control_latents(clip, Tiling::Off, Progress::none())?.swap_dims(1, 2))
            }
            None => GuideClip::Frames(example.guide.clone()),
        };
        let identity = match &example.tokens {
            Some(tokens) => Tensor::<2>::from_data(tokens.clone(), (device, DType::F32)).unsqueeze(),
            None => {
                let side = self.siglip.config().image_size as u32;
                let face = resize_pillow(&example.face, side, side, Filter::Bicubic)?;
                self.siglip.forward(self.siglip.config().pixel_values(&face, device)?)?
            }
        };
        let [_, frames, _, height, width] = video[0].dims();
        let latents = [frames, height, width];
        let weights = match (&self.face_aware, &example.moving) {
            (Some(face_aware), Some(Moving::Flow(flow))) => {
                let size = example.size();
                let weights = face_aware.clip_weights(flow, size[1] * size[2]);
                Some(latent_weights(&weights, size, latents, device)?)
            }
            (Some(_), Some(Moving::Weights { values, size })) => Some(latent_weights(values, *size, latents, device)?),
            _ => None,
        };
        Ok(Encoded { video, image: self.moments(image), guide, identity, weights })
    }

    fn moments(&self, posterior: Posterior) -> [Tensor<5>; 2] {
        let deviation = posterior.logvar.mul_scalar(0.5).exp();
        [posterior.mean, deviation].map(|moment| self.vae.scale(moment).swap_dims(1, 2))
    }
}

/// A posterior that was kept.
fn kept(latents: &Latents, device: &Device) -> Posterior {
    let moment = |data: &TensorData| Tensor::<4>::from_data(data.clone(), (device, DType::F32)).unsqueeze();
    Posterior { mean: moment(&latents.mean), logvar: moment(&latents.logvar) }
}
