//! First and steady times of every stage, and the cache that makes the first like the rest.
//!
//! A card's first run of a kernel compiles it and tries its variants; what was found is kept
//! ([`AutotuneCache`]) and the next program begins with it. Which kernels there are depends on the sizes of model and clip
//! and on the precision, not on the weights: tuning needs no checkpoint.

mod cache;

pub use cache::AutotuneCache;

use std::time::Instant;

use serde::Serialize;
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::{Device, Frame, Precision, Progress};
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling, decode_flops, encode_flops};

use crate::conditioning::{Conditioning, control_latents, identity_tokens, image_latents};
use crate::denoise::{DenoiseSettings, Denoiser};
use crate::model::ModelDir;
use crate::pixels::tensor_to_frames;
use crate::random::random_weights;
use crate::{Error, Result};

/// How tuning goes.
#[derive(Debug, Clone, Copy)]
pub struct TuneOptions {
    /// `[frames, height, width]` in pixels; `None` for the model's own.
    pub size: Option<[usize; 3]>,
    /// Precision of transformer, VAE and guider; the vision tower is f32.
    pub precision: Precision,
    /// The weights of the transformer's blocks in 8 bits.
    pub int8: bool,
    /// Tiles of the VAE.
    pub tiling: Tiling,
    /// Tiles of the landmark guider.
    pub guider_tiling: Tiling,
    /// Both guidance passes in one batch.
    pub batched_guidance: bool,
    /// Runs of a stage after its first; the median of them counts.
    pub runs: usize,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            size: None,
            precision: Precision::F32,
            int8: false,
            tiling: Tiling::On,
            guider_tiling: Tiling::Off,
            batched_guidance: false,
            runs: 3,
        }
    }
}

/// Times of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Timing {
    /// The stage; `denoise` is one step with guidance.
    pub stage: &'static str,
    /// Seconds of the first run.
    pub first: f64,
    /// Median seconds of the runs after it.
    pub steady: f64,
    /// Floating-point operations of the networks, as their configurations count them: without tiles.
    pub flops: u64,
    /// Bytes that the device's allocator holds after it, where it says so.
    pub reserved: Option<u64>,
}

impl Timing {
    /// Operations per second of the steady runs.
    pub fn rate(&self) -> f64 {
        self.flops as f64 / self.steady
    }

    /// A timing from the seconds of every run, the first first.
    ///
    /// # Panics
    /// When there are fewer than two runs.
    pub fn of(stage: &'static str, seconds: &[f64], flops: u64, device: &Device) -> Self {
        let [first, rest @ ..] = seconds else { panic!("a first run and at least one more") };
        let mut rest = rest.to_vec();
        rest.sort_by(f64::total_cmp);
        let reserved = device.memory_pool_usage().map(|usage| usage.bytes_reserved);
        Self { stage, first: *first, steady: rest[rest.len() / 2], flops, reserved }
    }
}

/// Runs the stages of one model's clip with random weights, each some times over.
#[derive(Debug)]
pub struct Tuner<'a> {
    model: &'a ModelDir,
    device: &'a Device,
    options: TuneOptions,
    size: [usize; 3],
    latents: [usize; 3],
}

impl<'a> Tuner<'a> {
    /// Prepares tuning; only the configurations of `model` are used.
    ///
    /// # Errors
    /// [`Error::Request`] when the model cannot make clips of this size, or for no runs at all.
    pub fn new(model: &'a ModelDir, device: &'a Device, options: TuneOptions) -> Result<Self> {
        // One step more than runs, and a schedule has only so many.
        model.schedule.timesteps(options.runs.saturating_add(1))?;
        if options.runs == 0 {
            return Err(Error::request("runs", "0 leave nothing to compare the first run with; use 1 or more"));
        }
        let size = options.size.unwrap_or_else(|| model.native_size());
        Ok(Self { model, device, options, size, latents: model.latent_size(size)? })
    }

    /// `[frames, height, width]` of the clip in pixels.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Every stage in the order of a run.
    ///
    /// # Errors
    /// Those of the stages.
    pub fn all(&self, progress: Progress) -> Result<Vec<Timing>> {
        let mut timings = self.encode(progress)?;
        timings.push(self.denoise("denoise", self.options.batched_guidance, progress)?);
        timings.push(self.decode(progress)?);
        Ok(timings)
    }

    /// Guide clip to control latents, portrait to image latents, face to identity tokens.
    ///
    /// # Errors
    /// Those of the networks, [`Error::Core`] when cancelled.
    pub fn encode(&self, progress: Progress) -> Result<Vec<Timing>> {
        let Self { model, device, options, size: [frames, height, width], latents } = self;
        let picture = Frame::new(*width as u32, *height as u32);
        let guide = vec![picture.clone(); *frames];
        let mut timings = Vec::new();
        {
            let guider = random_weights(LandmarkGuider::new(&model.guider, device)?, options.precision);
            let flops = encode_flops(&model.guider, *frames, *height, *width);
            timings.push(self.timed("guide", flops, progress, || {
                control_latents(&guider, &guide, options.guider_tiling, device, Progress::none()).map(drop)
            })?);
        }
        {
            let vae = random_weights(CausalVae::new(&model.vae, device)?, options.precision);
            let flops = encode_flops(&model.vae, 1, *height, *width);
            let shape = [1, model.vae.latent_channels, 1, latents[1], latents[2]];
            let noise = NoiseGenerator::new(0).normal(shape, device);
            timings.push(self.timed("portrait", flops, progress, || {
                let noise = noise.clone();
                image_latents(&vae, &picture, latents[0], noise, options.tiling, Progress::none()).map(drop)
            })?);
        }
        let tower = random_weights(model.siglip.init(device)?, Precision::F32);
        timings.push(self.timed("face", model.siglip.flops(), progress, || {
            identity_tokens(&tower, &picture, device, Progress::none()).map(drop)
        })?);
        Ok(timings)
    }

    /// Steps of denoising with guidance, both passes in one batch or one after the other, under the name `stage`.
    ///
    /// # Errors
    /// Those of [`Denoiser::run`].
    pub fn denoise(&self, stage: &'static str, batched_guidance: bool, progress: Progress) -> Result<Timing> {
        let Self { model, device, options, latents: [frames, height, width], .. } = self;
        let config = &model.transformer;
        let empty = if options.int8 { config.init_int8(device)? } else { config.init(device)? };
        let transformer = random_weights(empty, options.precision);
        let shape = [1, *frames, model.vae.latent_channels, *height, *width];
        let identity = [1, model.siglip.tokens(), model.siglip.hidden_size];
        let mut noise = NoiseGenerator::new(0);
        let conditioning = Conditioning {
            control: noise.normal(shape, device),
            image: noise.normal(shape, device),
            identity: noise.normal(identity, device),
        };
        let first = noise.normal(shape, device);
        let settings = DenoiseSettings { steps: options.runs + 1, batched_guidance, ..DenoiseSettings::default() };
        let flops = 2 * model.transformer.flops(1, self.latents, model.siglip.tokens())?;
        let denoiser = Denoiser { transformer: &transformer, schedule: &model.schedule, settings };
        device.sync().map_err(|error| failed(stage, error))?;
        let (mut seconds, mut start) = (Vec::new(), Instant::now());
        let runs = Some(settings.steps as u64);
        let on_step = |_: &_| {
            seconds.push(start.elapsed().as_secs_f64());
            start = Instant::now();
            Ok(progress.report(stage, seconds.len() as u64, runs)?)
        };
        denoiser.run(&conditioning, first, &mut noise, on_step, Progress::none())?;
        Ok(Timing::of(stage, &seconds, flops, device))
    }

    /// Latents to frames.
    ///
    /// # Errors
    /// Those of the VAE, [`Error::Core`] when cancelled.
    pub fn decode(&self, progress: Progress) -> Result<Timing> {
        let Self { model, device, options, size: [frames, height, width], latents } = self;
        let vae = random_weights(CausalVae::new(&model.vae, device)?, options.precision);
        let shape = [1, model.vae.latent_channels, latents[0], latents[1], latents[2]];
        let noise = NoiseGenerator::new(0).normal(shape, device);
        self.timed("decode", decode_flops(&model.vae, *frames, *height, *width), progress, || {
            tensor_to_frames(vae.decode(noise.clone(), options.tiling, Progress::none())?).map(drop)
        })
    }

    fn timed(
        &self,
        stage: &'static str,
        flops: u64,
        progress: Progress,
        work: impl Fn() -> Result<()>,
    ) -> Result<Timing> {
        let sync = || self.device.sync().map_err(|error| failed(stage, error));
        let mut seconds = Vec::new();
        sync()?;
        for run in 0..=self.options.runs {
            let start = Instant::now();
            work()?;
            sync()?;
            seconds.push(start.elapsed().as_secs_f64());
            progress.report(stage, run as u64 + 1, Some(self.options.runs as u64 + 1))?;
        }
        Ok(Timing::of(stage, &seconds, flops, self.device))
    }
}

fn failed(stage: &'static str, error: impl ToString) -> Error {
    Error::Execution { stage, reason: error.to_string() }
}
