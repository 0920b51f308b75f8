//! The reverse process: from noise to the latents of a video.

use burn::tensor::{DType, Tensor};
use skyreels_core::diffusion::{Guidance, NoiseGenerator, Sampler, SamplerKind, Schedule, guide};
use skyreels_core::{Device, Progress};
use skyreels_dit::{Rotary, Trace, Transformer};

use crate::Result;
use crate::conditioning::Conditioning;
use crate::pixels::finite;

/// How a run goes from noise to video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenoiseSettings {
    /// Number of steps; the published setting is 10.
    pub steps: usize,
    /// Guidance towards the face; the published setting is a constant 3.
    pub guidance: Guidance,
    /// Which sampler.
    pub sampler: SamplerKind,
    /// Both guidance passes in one batch: faster on a large card, twice the activations. Either
    /// way gives the same result.
    pub batched_guidance: bool,
}

impl Default for DenoiseSettings {
    fn default() -> Self {
        Self { steps: 10, guidance: Guidance::Constant(3.0), sampler: SamplerKind::Ddim, batched_guidance: false }
    }
}

/// Source of the noise of a run: a generator, or tensors handed in.
pub trait NoiseSource {
    /// The next standard normal tensor of this shape, f32.
    fn next(&mut self, shape: [usize; 5], device: &Device) -> Tensor<5>;
}

impl NoiseSource for NoiseGenerator {
    fn next(&mut self, shape: [usize; 5], device: &Device) -> Tensor<5> {
        self.normal(shape, device)
    }
}

/// One finished step.
#[derive(Debug, Clone)]
pub struct DenoiseStep {
    /// Its number, from 0.
    pub index: usize,
    /// The guided prediction, `[1, latent_frames, 16, height, width]`.
    pub prediction: Tensor<5>,
    /// The latents after it, same shape.
    pub latents: Tensor<5>,
}

/// A network, its noise schedule and the way to use them.
#[derive(Debug)]
pub struct Denoiser<'a> {
    /// The network.
    pub transformer: &'a Transformer,
    /// The noise schedule it was trained with.
    pub schedule: &'a Schedule,
    /// How to run it.
    pub settings: DenoiseSettings,
}

impl Denoiser<'_> {
    /// Denoises `noise` under `conditioning`; `on_step` sees every step.
    ///
    /// Latents stay in f32 between the steps, the network computes in its own precision. The
    /// unconditional pass is told zeros instead of the face's tokens, everything else being the
    /// same; at guidance 1 it is not run.
    ///
    /// # Shapes
    /// `noise` and the result `[1, latent_frames, 16, height, width]`, f32
    ///
    /// # Errors
    /// [`crate::Error::Dit`] for inputs that do not fit the model, [`crate::Error::Core`] when cancelled or the
    /// step count is impossible, [`crate::Error::Execution`] when the device fails, [`crate::Error::NotFinite`] when a
    /// step ends in what is no number.
    pub fn run(
        &self,
        conditioning: &Conditioning,
        noise: Tensor<5>,
        source: &mut dyn NoiseSource,
        mut on_step: impl FnMut(&DenoiseStep) -> Result<()>,
        progress: Progress,
    ) -> Result<Tensor<5>> {
        const STAGE: &str = "denoise";
        let Self { transformer, settings, .. } = self;
        let [_, frames, _, height, width] = noise.dims();
        let device = noise.device();
        let rotary = transformer.config().rotary(frames, height, width, &device)?;
        let network = Network::new(transformer, conditioning, rotary)?;
        let mut sampler = Sampler::<5>::new(self.schedule.clone(), settings.sampler, settings.steps)?;
        let timesteps = sampler.timesteps().to_vec();
        let total = Some(timesteps.len() as u64);
        let shape = noise.dims();
        let mut latents = noise;
        progress.report(STAGE, 0, total)?;
        for (index, timestep) in timesteps.iter().copied().enumerate() {
            let scale = settings.guidance.scale(index, timesteps.len(), timestep);
            let prediction = network.predict(&latents, timestep as usize, scale, settings)?;
            latents = sampler.step(index, prediction.clone(), latents, || source.next(shape, &device)).previous;
            // A device computes behind our back: without reading, progress would run ahead of the work. And nobody
            // should wait nine steps more for a result that is lost.
            finite(STAGE, latents.clone())?;
            on_step(&DenoiseStep { index, prediction, latents: latents.clone() })?;
            progress.report(STAGE, index as u64 + 1, total)?;
        }
        Ok(latents)
    }
}

/// The denoiser with everything that does not change from step to step.
struct Network<'a> {
    transformer: &'a Transformer,
    /// Control and image latents on the channel axis, in the network's precision.
    fixed: Tensor<5>,
    rotary: Rotary,
    face: Tensor<3>,
    nobody: Tensor<3>,
}

impl<'a> Network<'a> {
    fn new(transformer: &'a Transformer, conditioning: &Conditioning, rotary: Rotary) -> Result<Self> {
        let dtype = transformer.dtype();
        let fixed = Tensor::cat(vec![conditioning.control.clone(), conditioning.image.clone()], 2).cast(dtype);
        let identity = conditioning.identity.clone().cast(dtype);
        let nobody = transformer.embed_identity(identity.zeros_like())?;
        let face = transformer.embed_identity(identity)?;
        Ok(Self { transformer, fixed, rotary, face, nobody })
    }

    fn predict(
        &self,
        latents: &Tensor<5>,
        timestep: usize,
        scale: f64,
        settings: &DenoiseSettings,
    ) -> Result<Tensor<5>> {
        // The order of the channels is noisy, control, image.
        let input = Tensor::cat(vec![latents.clone().cast(self.fixed.dtype()), self.fixed.clone()], 2);
        if !settings.guidance.needs_unconditional() {
            return self.pass(input, self.face.clone(), timestep);
        }
        let (unconditional, conditional) = if settings.batched_guidance {
            let both = Tensor::cat(vec![input.clone(), input], 0);
            let identity = Tensor::cat(vec![self.nobody.clone(), self.face.clone()], 0);
            let prediction = self.pass(both, identity, timestep)?;
            (prediction.clone().narrow(0, 0, 1), prediction.narrow(0, 1, 1))
        } else {
            (self.pass(input.clone(), self.nobody.clone(), timestep)?, self.pass(input, self.face.clone(), timestep)?)
        };
        Ok(guide(unconditional, conditional, scale))
    }

    fn pass(&self, input: Tensor<5>, identity: Tensor<3>, timestep: usize) -> Result<Tensor<5>> {
        let timesteps = vec![timestep; input.dims()[0]];
        let velocity = self.transformer.denoise(input, identity, &timesteps, &self.rotary, &mut Trace::off())?;
        Ok(velocity.cast(DType::F32))
    }
}
