//! What the denoiser makes of conditions while it is trained.

use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::Progress;
use skyreels_core::diffusion::{NoiseGenerator, Sampler, SamplerKind, Schedule, guide};
use skyreels_core::pixels::frames_to_tensor;
use skyreels_dit::Trace;
use skyreels_vae::Tiling;

use super::batch::Dropout;
use super::denoising::Denoising;
use super::encode::{Encoded, GuideClip};
use super::gradients::rotary;
use crate::Result;

/// How samples are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Examples that are shown; 0 makes no samples.
    pub examples: u64,
    /// Steps of DDIM.
    pub steps: usize,
    /// Guidance towards the face; 1 turns it off.
    pub guidance: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { examples: 3, steps: 10, guidance: 1.0 }
    }
}

/// Latents of a video from noise, under the conditions of an example but those that are `dropped` (with a share of 1): DDIM, as at
/// inference. Networks are without gradients.
///
/// # Shapes
/// `-> [1, frames, channels, height, width]`, scaled, f32
///
/// # Errors
/// Those of the networks and of an impossible number of steps.
pub fn sample_latents(
    networks: &Denoising,
    example: &Encoded,
    schedule: &Schedule,
    sampling: &Sampling,
    dropped: &Dropout,
    noise: &mut NoiseGenerator,
) -> Result<Tensor<5>> {
    let transformer = &networks.transformer;
    let shape = example.video[0].dims();
    let device = example.video[0].device();
    let dropped = dropped.always();
    let [image_kept, guide_kept, identity_kept] =
        [dropped.image, dropped.guide, dropped.identity].map(|share| 1.0 - share);
    let control = match &example.guide {
        GuideClip::Latents(latents) => latents.clone(),
        GuideClip::Frames(frames) => {
            let clip = frames_to_tensor(frames, &device);
            networks.pose_guider.control_latents(clip, Tiling::Off, Progress::none())?.swap_dims(1, 2)
        }
    };
    let control = control.mul_scalar(guide_kept);
    let [_, frames, channels, height, width] = shape;
    let [mean, deviation] = example.image.clone();
    let image = (mean.clone() + deviation * noise.normal(mean.dims(), &device)).mul_scalar(image_kept);
    let rest = Tensor::zeros([1, frames - 1, channels, height, width], (&device, DType::F32));
    let image = if frames > 1 { Tensor::cat(vec![image, rest], 1) } else { image };

    let face = transformer.embed_identity(example.identity.clone().mul_scalar(identity_kept))?;
    let nobody = transformer.embed_identity(example.identity.zeros_like())?;
    let mut latents: Tensor<5> = noise.normal(shape, &device);
    let tables = rotary(transformer.config(), &latents)?;
    let mut sampler = Sampler::<5>::new(schedule.clone(), SamplerKind::Ddim, sampling.steps)?;
    for (index, timestep) in sampler.timesteps().to_vec().into_iter().enumerate() {
        let input = Tensor::cat(vec![latents.clone(), control.clone(), image.clone()], 2);
        let pass = |identity: &Tensor<3>| {
            let timesteps = [timestep as usize];
            transformer.denoise(input.clone(), identity.clone(), &timesteps, &tables, &mut Trace::off())
        };
        let mut prediction = pass(&face)?;
        if sampling.guidance != 1.0 {
            prediction = guide(pass(&nobody)?, prediction, sampling.guidance);
        }
        latents = sampler.step(index, prediction, latents, || noise.normal(shape, &device)).previous;
    }
    Ok(latents)
}
