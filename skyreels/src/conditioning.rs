//! What the denoiser is told: where the face moves, what the picture looks like, who it is.

use burn::tensor::{DType, Tensor};
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_core::{Device, Frame, Progress};
use skyreels_dit::SiglipVisionTower;
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling};

use crate::{Error, Result};

/// The three inputs of the denoiser beside the noisy latents.
#[derive(Debug, Clone)]
pub struct Conditioning {
    /// The encoded guide clip, `[1, latent_frames, 16, height, width]`.
    pub control: Tensor<5>,
    /// The encoded portrait in the first latent frame, zero in the others; same shape.
    pub image: Tensor<5>,
    /// SigLIP's tokens of the aligned face, `[1, tokens, width]`.
    pub identity: Tensor<3>,
}

/// Encodes the guide clip: mean of the guider's posterior, scaled.
///
/// # Shapes
/// `frames` pictures of `height x width` `-> [1, latent_frames, 16, height / r, width / r]`, f32, where `r` is the VAE's spatial compression: 8 in
/// the published one
///
/// # Errors
/// [`Error::Vae`] when the clip has a size that the guider refuses.
pub fn control_latents(
    guider: &LandmarkGuider,
    guide: &[Frame],
    tiling: Tiling,
    device: &Device,
    progress: Progress,
) -> Result<Tensor<5>> {
    let latents = guider.control_latents(frames_to_tensor(guide, device), tiling, progress)?;
    Ok(latents.cast(DType::F32).swap_dims(1, 2))
}

/// Encodes the portrait: a sample of the VAE's posterior, scaled, in the first latent frame.
///
/// # Shapes
/// `noise` `[1, 16, 1, height / r, width / r] -> [1, latent_frames, 16, height / r, width / r]`, f32, with `r` as above
///
/// # Errors
/// [`Error::Vae`] when the picture has a size that the VAE refuses.
pub fn image_latents(
    vae: &CausalVae,
    portrait: &Frame,
    latent_frames: usize,
    noise: Tensor<5>,
    tiling: Tiling,
    progress: Progress,
) -> Result<Tensor<5>> {
    let device = noise.device();
    let picture = frames_to_tensor(std::slice::from_ref(portrait), &device);
    let sample = vae.encode(picture, tiling, progress)?.sample(noise)?;
    let first: Tensor<5> = vae.scale(sample).cast(DType::F32).swap_dims(1, 2);
    let [batch, _, channels, height, width] = first.dims();
    if latent_frames == 1 {
        return Ok(first);
    }
    let rest = Tensor::zeros([batch, latent_frames - 1, channels, height, width], (&device, DType::F32));
    Ok(Tensor::cat(vec![first, rest], 1))
}

/// Reads the portrait's face: Pillow's bicubic resize, then SigLIP's last hidden state.
///
/// # Shapes
/// any picture `-> [1, tokens, hidden_size]`, f32
///
/// # Errors
/// [`Error::Dit`] when the tower refuses the picture, [`Error::Core`] when `progress` asks to stop.
pub fn identity_tokens(
    tower: &SiglipVisionTower,
    aligned_face: &Frame,
    device: &Device,
    progress: Progress,
) -> Result<Tensor<3>> {
    const STAGE: &str = "face";
    progress.report(STAGE, 0, Some(1))?;
    let side = tower.config().image_size as u32;
    let face = resize_pillow(aligned_face, side, side, Filter::Bicubic)?;
    let tokens = tower.forward(tower.config().pixel_values(&face, device)?)?;
    // Without this a card's work would count for the next stage.
    device.sync().map_err(|error| Error::Execution { stage: STAGE, reason: error.to_string() })?;
    progress.report(STAGE, 1, Some(1))?;
    Ok(tokens)
}
