//! The reverse process: from noise to the latents of a video.

use burn::tensor::{DType, Tensor};
use skyreels_core::diffusion::{Guidance, NoiseGenerator, Sampler, SamplerKind, Schedule, guide};
use skyreels_core::{Device, Progress};
use skyreels_dit::transformer::{GuidancePass, StepReuse};
use skyreels_dit::{Rotary, Transformer};

use crate::Result;
use crate::conditioning::Conditioning;
use crate::pixels::finite;
use crate::reuse::{ReuseSettings, WorkCounts};

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
    /// What a step may take from the steps before it.
    pub reuse: ReuseSettings,
}

impl Default for DenoiseSettings {
    fn default() -> Self {
        Self {
            steps: 10,
            guidance: Guidance::Constant(3.0),
            sampler: SamplerKind::Ddim,
            batched_guidance: false,
            reuse: ReuseSettings::default(),
        }
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

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Denoised {
    /// `[1, latent_frames, 16, height, width]`, f32
    pub latents: Tensor<5>,
    /// What it took.
    pub work: WorkCounts,
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
    /// `noise` and the latents of the result `[1, latent_frames, 16, height, width]`, f32
    ///
    /// # Errors
    /// [`crate::Error::Dit`] for inputs that do not fit the model, [`crate::Error::Core`] when cancelled or the
    /// step count is impossible, [`crate::Error::Request`] for reuse that this run cannot do,
    /// [`crate::Error::Execution`] when the device fails, [`crate::Error::NotFinite`] when a step ends in what is no
    /// number.
    pub fn run(
        &self,
        conditioning: &Conditioning,
        noise: Tensor<5>,
        source: &mut dyn NoiseSource,
        on_step: impl FnMut(&DenoiseStep) -> Result<()>,
        progress: Progress,
    ) -> Result<Denoised> {
        let mut reuse = self.settings.reuse.start(self.settings.steps, &self.settings.guidance)?;
        self.run_reusing(conditioning, noise, source, &mut *reuse, on_step, progress)
    }

    /// [`run`](Self::run) with a `reuse` of the caller's in the place of the one of the settings.
    ///
    /// # Errors
    /// Those of [`run`](Self::run), and of `reuse`.
    pub fn run_reusing(
        &self,
        conditioning: &Conditioning,
        noise: Tensor<5>,
        source: &mut dyn NoiseSource,
        reuse: &mut dyn StepReuse,
        mut on_step: impl FnMut(&DenoiseStep) -> Result<()>,
        progress: Progress,
    ) -> Result<Denoised> {
        const STAGE: &str = "denoise";
        let Self { transformer, settings, .. } = self;
        let [_, frames, _, height, width] = noise.dims();
        let device = noise.device();
        let rotary = transformer.config().rotary(frames, height, width, &device)?;
        let mut network = Network::new(transformer, conditioning, rotary, reuse)?;
        let mut sampler = Sampler::<5>::new(self.schedule.clone(), settings.sampler, settings.steps)?;
        let timesteps = sampler.timesteps().to_vec();
        let total = Some(timesteps.len() as u64);
        let shape = noise.dims();
        let mut latents = noise;
        progress.report(STAGE, 0, total)?;
        for (index, timestep) in timesteps.iter().copied().enumerate() {
            let scale = settings.guidance.scale(index, timesteps.len(), timestep);
            let step = Step { index, timestep: timestep as usize, scale };
            let prediction = network.predict(&latents, &step, settings)?;
            latents = sampler.step(index, prediction.clone(), latents, || source.next(shape, &device)).previous;
            // A device computes behind our back: without reading, progress would run ahead of the work. And nobody
            // should wait nine steps more for a result that is lost.
            finite(STAGE, latents.clone())?;
            on_step(&DenoiseStep { index, prediction, latents: latents.clone() })?;
            progress.report(STAGE, index as u64 + 1, total)?;
        }
        Ok(Denoised { latents, work: network.work })
    }
}

/// Where a run is.
struct Step {
    index: usize,
    timestep: usize,
    scale: f64,
}

/// The denoiser with everything that does not change from step to step, and what it remembers.
struct Network<'a> {
    transformer: &'a Transformer,
    /// Control and image latents on the channel axis, in the network's precision.
    fixed: Tensor<5>,
    rotary: Rotary,
    face: Tensor<3>,
    nobody: Tensor<3>,
    reuse: &'a mut dyn StepReuse,
    work: WorkCounts,
}

impl<'a> Network<'a> {
    fn new(
        transformer: &'a Transformer,
        conditioning: &Conditioning,
        rotary: Rotary,
        reuse: &'a mut dyn StepReuse,
    ) -> Result<Self> {
        let dtype = transformer.dtype();
        let fixed = Tensor::cat(vec![conditioning.control.clone(), conditioning.image.clone()], 2).cast(dtype);
        let identity = conditioning.identity.clone().cast(dtype);
        let nobody = transformer.embed_identity(identity.zeros_like())?;
        let face = transformer.embed_identity(identity)?;
        Ok(Self { transformer, fixed, rotary, face, nobody, reuse, work: WorkCounts::default() })
    }

    fn predict(&mut self, latents: &Tensor<5>, step: &Step, settings: &DenoiseSettings) -> Result<Tensor<5>> {
        // The order of the channels is noisy, control, image.
        let input = Tensor::cat(vec![latents.clone().cast(self.fixed.dtype()), self.fixed.clone()], 2);
        if !settings.guidance.needs_unconditional() {
            return self.pass(input, GuidancePass::Conditional, step);
        }
        if !self.reuse.runs_unconditional(step.index) {
            self.work.saved_pass(self.transformer.blocks().len());
            let conditional = self.pass(input, GuidancePass::Conditional, step)?;
            let unconditional = self.reuse.unconditional(step.index, &conditional);
            return Ok(guide(unconditional, conditional, step.scale));
        }
        let (unconditional, conditional) = if settings.batched_guidance {
            let both = Tensor::cat(vec![input.clone(), input], 0);
            let prediction = self.pass(both, GuidancePass::Both, step)?;
            (prediction.clone().narrow(0, 0, 1), prediction.narrow(0, 1, 1))
        } else {
            let unconditional = self.pass(input.clone(), GuidancePass::Unconditional, step)?;
            (unconditional, self.pass(input, GuidancePass::Conditional, step)?)
        };
        self.reuse.keep_guidance(&unconditional, &conditional);
        Ok(guide(unconditional, conditional, step.scale))
    }

    fn pass(&mut self, input: Tensor<5>, pass: GuidancePass, step: &Step) -> Result<Tensor<5>> {
        let identity = match pass {
            GuidancePass::Unconditional => self.nobody.clone(),
            GuidancePass::Conditional => self.face.clone(),
            GuidancePass::Both => Tensor::cat(vec![self.nobody.clone(), self.face.clone()], 0),
        };
        let [batch, ..] = input.dims();
        let timesteps = vec![step.timestep; batch];
        let prediction =
            self.transformer.denoise_reusing(input, identity, &timesteps, &self.rotary, pass, self.reuse)?;
        self.work.ran(batch, prediction.blocks, self.transformer.blocks().len());
        Ok(prediction.velocity.cast(DType::F32))
    }
}
