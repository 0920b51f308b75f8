//! Noise, timesteps and dropped conditions: what the denoiser is shown, and what it should have said.

use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::diffusion::{NoiseGenerator, Schedule};
use skyreels_core::pixels::frames_to_tensor;

use super::encode::{Encoded, GuideClip};
use super::timesteps::Timesteps;
use crate::data::mix;
use crate::loss::Objective;
use crate::{Error, Result};

/// How often a condition is left out, so that the model learns to do without it and guidance has something to go away from.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    /// Share of examples whose image latents are zero.
    pub image: f64,
    /// Share of examples whose control latents are zero.
    pub guide: f64,
    /// Share of examples whose identity tokens are zero: what guidance goes away from at inference.
    pub identity: f64,
}

impl Dropout {
    /// What is left out always, and so is no condition of this model: on examples that are not trained on, it is left out too.
    #[must_use]
    pub fn always(&self) -> Self {
        let always = |share: f64| f64::from(u8::from(share >= 1.0));
        Self { image: always(self.image), guide: always(self.guide), identity: always(self.identity) }
    }
}

/// The random numbers of a run: those of an example depend on the seed and its cursor alone.
///
/// No generator has a state that would have to be kept: whoever goes on at a cursor, or computes a part of a batch on another device,
/// draws the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Seed of the run.
    pub seed: u64,
    /// How much of it there is.
    pub timesteps: Timesteps,
}

impl Noise {
    /// That of a seed, all timesteps alike.
    pub fn new(seed: u64) -> Self {
        Self { seed, timesteps: Timesteps::Uniform }
    }

    /// The generator of the example at a cursor.
    pub fn at(&self, cursor: u64) -> NoiseGenerator {
        NoiseGenerator::new(mix(self.seed, cursor))
    }
}

/// What the guider has to say about a batch.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
pub enum Control {
    /// Control latents of a frozen guider, `[batch, frames, channels, height, width]`.
    Latents(Tensor<5>),
    /// Guide clips for a guider that is trained.
    Clips {
        /// `[batch, 3, frames, height, width]` in pixels.
        clips: Tensor<5>,
        /// 1 where the control latents are kept and 0 where they are dropped, `[batch, 1, 1, 1, 1]`.
        keep: Tensor<5>,
    },
}

/// A batch of the denoiser's training. Latents are `[batch, frames, channels, height, width]`, f32, without gradients.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Latents of the video with noise.
    pub noisy: Tensor<5>,
    /// Latents of the portrait in the first frame, zero in the others.
    pub image: Tensor<5>,
    /// The guide clip.
    pub control: Control,
    /// Tokens of the face, `[batch, tokens, width]`.
    pub identity: Tensor<3>,
    /// Timestep of each entry.
    pub timesteps: Vec<usize>,
    /// What the network should have said.
    pub target: Tensor<5>,
    /// Weights of the errors, `[batch, frames, 1 or channels, height, width]`.
    pub weights: Tensor<5>,
}

impl Batch {
    /// Draws posterior samples, timesteps, noise and dropped conditions for encoded examples at their cursors.
    ///
    /// Portrait and video are samples of the VAE's posterior, as the portrait is at inference.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no example, or they do not fit each other.
    pub fn draw<E: std::borrow::Borrow<Encoded>>(
        examples: &[(u64, E)],
        objective: &Objective,
        schedule: &Schedule,
        dropout: &Dropout,
        noise: Noise,
        device: &Device,
    ) -> Result<Self> {
        let Some((_, first)) = examples.first() else {
            return Err(Error::invalid("batch", "there is no example"));
        };
        let shape = first.borrow().video[0].dims();
        if let Some((cursor, other)) = examples.iter().find(|(_, other)| other.borrow().video[0].dims() != shape) {
            let reason =
                format!("latents are {:?} at cursor {cursor}, {shape:?} before", other.borrow().video[0].dims());
            return Err(Error::invalid("batch", reason));
        }
        let [_, frames, _, height, width] = shape;
        let mut columns = Columns::default();
        for (cursor, example) in examples {
            let example: &Encoded = example.borrow();
            let mut random = noise.at(*cursor);
            let timestep = noise.timesteps.draw(&mut random, schedule.alphas_cumprod().len());
            let mut kept = |share: f64| random.uniform() >= share;
            let [image_kept, guide_kept, identity_kept] =
                [kept(dropout.image), kept(dropout.guide), kept(dropout.identity)];
            let x0 = sample(&example.video, &mut random, device);
            let image = sample(&example.image, &mut random, device).mul_scalar(f32::from(u8::from(image_kept)));
            let [_, _, channels, ..] = image.dims();
            let rest = Tensor::zeros([1, frames - 1, channels, height, width], (device, DType::F32));
            columns.noise.push(random.normal(shape, device));
            columns.timesteps.push(timestep);
            columns.image.push(if frames > 1 { Tensor::cat(vec![image, rest], 1) } else { image });
            columns.x0.push(x0);
            let keep = f32::from(u8::from(guide_kept));
            columns.keep.push(keep);
            match &example.guide {
                GuideClip::Latents(latents) => columns.control.push(latents.clone().mul_scalar(keep)),
                GuideClip::Frames(frames) => columns.clips.push(frames_to_tensor(frames, device)),
            }
            columns.identity.push(example.identity.clone().mul_scalar(f32::from(u8::from(identity_kept))));
            let even = || Tensor::ones([1, frames, 1, height, width], (device, DType::F32));
            columns.weights.push(example.weights.clone().unwrap_or_else(even));
        }
        columns.join(objective, schedule, device)
    }
}

/// `mean + deviation * noise`.
fn sample(moments: &[Tensor<5>; 2], random: &mut NoiseGenerator, device: &Device) -> Tensor<5> {
    let [mean, deviation] = moments.clone();
    let noise = random.normal(mean.dims(), device);
    mean + deviation * noise
}

/// Entries of a batch.
#[derive(Default)]
struct Columns {
    x0: Vec<Tensor<5>>,
    noise: Vec<Tensor<5>>,
    image: Vec<Tensor<5>>,
    control: Vec<Tensor<5>>,
    clips: Vec<Tensor<5>>,
    keep: Vec<f32>,
    identity: Vec<Tensor<3>>,
    weights: Vec<Tensor<5>>,
    timesteps: Vec<usize>,
}

impl Columns {
    fn join(self, objective: &Objective, schedule: &Schedule, device: &Device) -> Result<Batch> {
        let count = self.timesteps.len();
        let control = match (self.control.len(), self.clips.len()) {
            (latents, 0) if latents == count => Control::Latents(Tensor::cat(self.control, 0)),
            (0, clips) if clips == count => {
                let keep = TensorData::new(self.keep, [count, 1, 1, 1, 1]);
                let keep = Tensor::from_data(keep, (device, DType::F32));
                Control::Clips { clips: Tensor::cat(self.clips, 0), keep }
            }
            _ => return Err(Error::invalid("batch", "some guide clips are encoded and some are not")),
        };
        let (x0, noise) = (Tensor::cat(self.x0, 0), Tensor::cat(self.noise, 0));
        Ok(Batch {
            noisy: schedule.add_noise(x0.clone(), noise.clone(), &self.timesteps),
            target: objective.target(x0, noise, &self.timesteps),
            image: Tensor::cat(self.image, 0),
            control,
            identity: Tensor::cat(self.identity, 0),
            weights: Tensor::cat(self.weights, 0),
            timesteps: self.timesteps,
        })
    }
}
