//! The story told in one piece: portrait and motion in, frames out.

use burn::tensor::Tensor;
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::media::FrameRate;
use skyreels_core::{Device, Frame, Precision, Progress, open_device};
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::{ClipPlan, GuideLayout, LEADING_FRAMES, Motion, guide_clip};
use skyreels_vae::Tiling;

use crate::conditioning::{Conditioning, control_latents, identity_tokens, image_latents};
use crate::denoise::{DenoiseSettings, Denoised, Denoiser};
use crate::driving::resample;
use crate::intermediates::Intermediates;
use crate::model::ModelDir;
use crate::pixels::tensor_to_frames;
use crate::plan::{BlockWeights, HOST, Plan, PlanRequest};
use crate::portrait::Portrait;
use crate::retargeting::Retargeting;
use crate::reuse::WorkCounts;
use crate::{Error, Result};

/// Frames per second of the published model.
pub const RATE: FrameRate = FrameRate::NATIVE;

/// How a clip is made.
#[derive(Debug, Clone)]
pub struct AnimatorOptions {
    /// `[frames, height, width]` in pixels; `None` for the model's own.
    pub size: Option<[usize; 3]>,
    /// Seed of all noise.
    pub seed: u64,
    /// Steps, guidance, sampler.
    pub denoise: DenoiseSettings,
    /// Precision of transformer, VAE and guider; the vision tower is f32.
    pub precision: Precision,
    /// Where the weights of the transformer's blocks are, and how small.
    pub blocks: BlockWeights,
    /// Tiles of the VAE. The original uses tiles for the VAE and none for the guider.
    pub tiling: Tiling,
    /// Tiles of the landmark guider: less memory, slightly other latents.
    pub guider_tiling: Tiling,
    /// How the face is moved.
    pub retargeting: Retargeting,
    /// Clip length and drawing exactly as the original's script, its defects included.
    pub compat: bool,
    /// Where results of stages are kept.
    pub keep: Option<Intermediates>,
}

impl Default for AnimatorOptions {
    fn default() -> Self {
        Self {
            size: None,
            seed: 43,
            denoise: DenoiseSettings::default(),
            precision: Precision::F32,
            blocks: BlockWeights::default(),
            tiling: Tiling::On,
            guider_tiling: Tiling::Off,
            retargeting: Retargeting::default(),
            compat: false,
            keep: None,
        }
    }
}

impl AnimatorOptions {
    /// What these options ask of memory.
    fn request(&self, model: &ModelDir) -> PlanRequest {
        PlanRequest {
            size: self.size.unwrap_or_else(|| model.native_size()),
            precision: self.precision,
            tiling: self.tiling,
            guider_tiling: self.guider_tiling,
            batched_guidance: self.denoise.batched_guidance,
            block_cache: self.denoise.reuse.block_cache.is_some(),
            blocks: self.blocks,
        }
    }

    /// The options with as few changes as make the run fit into `available` bytes, and what they are: the order of the
    /// guidance passes, tiles, blocks in 8 bits or in the host's memory ([`PlanRequest::fitted`]).
    ///
    /// # Errors
    /// Those of [`PlanRequest::fitted`].
    pub fn fitted(mut self, model: &ModelDir, device: &Device, available: u64) -> Result<(Self, Vec<&'static str>)> {
        let (request, made) = self.request(model).fitted(model, device, available)?;
        (self.tiling, self.guider_tiling, self.blocks) = (request.tiling, request.guider_tiling, request.blocks);
        self.denoise.batched_guidance = request.batched_guidance;
        Ok((self, made))
    }
}

/// A finished clip.
#[derive(Debug, Clone)]
pub struct Animation {
    /// The frames; frame `k` shows motion frame `k`.
    pub frames: Vec<Frame>,
    /// The guide clip, one frame per generated frame, the two leading ones included.
    pub guide: Vec<Frame>,
    /// What the denoising took.
    pub work: WorkCounts,
}

/// Makes clips with one model on one device.
#[derive(Debug)]
pub struct Animator<'a> {
    model: &'a ModelDir,
    device: &'a Device,
    options: AnimatorOptions,
    size: [usize; 3],
    plan: Plan,
}

impl<'a> Animator<'a> {
    /// Plans clips of the requested size.
    ///
    /// # Errors
    /// [`Error::Request`] when the model cannot make that size.
    pub fn new(model: &'a ModelDir, device: &'a Device, options: AnimatorOptions) -> Result<Self> {
        let request = options.request(model);
        let plan = Plan::new(model, &request, device)?;
        // An impossible number of steps should not be found out after an hour of encoding.
        model.schedule.timesteps(options.denoise.steps)?;
        options.denoise.reuse.check(options.denoise.steps, &options.denoise.guidance)?;
        ClipPlan::fitted(1, request.size[0])?;
        Ok(Self { model, device, options, size: request.size, plan })
    }

    /// Where it computes.
    pub fn device(&self) -> &'a Device {
        self.device
    }

    /// The memory plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `[frames, height, width]` of the clip in pixels.
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Width and height of the canvas, as pictures count them.
    pub fn canvas(&self) -> [u32; 2] {
        [self.size[2] as u32, self.size[1] as u32]
    }

    /// Driving frames that one clip can use.
    pub fn driving_frames(&self) -> usize {
        self.size[0] - LEADING_FRAMES + usize::from(self.options.compat)
    }

    /// Draws the guide clip: the portrait's own landmarks, then its face moved by `motion`.
    /// Returns it with the number of generated frames that are kept.
    ///
    /// # Errors
    /// Those of retargeting and drawing.
    pub fn guide(&self, portrait: &Portrait, motion: &Motion, progress: Progress) -> Result<(Vec<Frame>, usize)> {
        let motion = resample(motion, RATE, self.driving_frames())?;
        let length = motion.frames().len();
        let (mut clip, border) = if self.options.compat {
            (ClipPlan::original(length)?, Border::Original)
        } else {
            (ClipPlan::fitted(length, self.size[0])?, Border::Clip)
        };
        // The model makes clips of one length; what goes beyond the motion is not kept.
        let last = clip.motion.last().copied().unwrap_or(0);
        clip.motion.resize(self.size[0] - 1, last);
        let moved = self.options.retargeting.retarget(portrait, &motion)?;
        let layout = GuideLayout { canvas: self.canvas(), crop: portrait.crop, border };
        Ok((guide_clip(&portrait.face, &moved, &clip, &layout, progress)?, clip.keep))
    }

    /// Runs the whole path.
    ///
    /// Noise is drawn from one generator in the original's order: the posterior sample of the
    /// portrait, the initial latents, then what the sampler asks for.
    ///
    /// # Errors
    /// The first error of a stage; nothing is kept of a stage that failed.
    pub fn run(&self, portrait: &Portrait, motion: &Motion, progress: Progress) -> Result<Animation> {
        self.model.check_weights(self.device)?;
        // A result is kept as soon as it exists: the next stage may fail.
        let kept = self.options.keep.as_ref();
        kept.map_or(Ok(()), |kept| kept.keep_motion(motion))?;
        let (guide, keep) = self.guide(portrait, motion, progress)?;
        kept.map_or(Ok(()), |kept| kept.keep_guide(&guide, progress))?;
        let mut noise = NoiseGenerator::new(self.options.seed);
        let conditioning = self.condition(portrait, &guide, &mut noise, progress)?;
        kept.map_or(Ok(()), |kept| kept.keep_conditioning(&conditioning))?;
        let Denoised { latents, work } = self.denoise(&conditioning, &mut noise, progress)?;
        kept.map_or(Ok(()), |kept| kept.keep_latents(&latents, LEADING_FRAMES..LEADING_FRAMES + keep))?;
        let frames = self.decode(latents, progress)?;
        let frames = frames.into_iter().skip(LEADING_FRAMES).take(keep).collect();
        Ok(Animation { frames, guide, work })
    }

    /// Encodes guide clip, portrait and face; each network is dropped before the next is loaded.
    ///
    /// # Errors
    /// Those of loading and running guider, VAE and vision tower.
    pub fn condition(
        &self,
        portrait: &Portrait,
        guide: &[Frame],
        noise: &mut NoiseGenerator,
        progress: Progress,
    ) -> Result<Conditioning> {
        let [latent_frames, height, width] = self.plan.latents;
        let (device, precision) = (self.device, self.options.precision);
        let control = {
            let guider = self.model.load_guider(precision, device, progress)?;
            control_latents(&guider, guide, self.options.guider_tiling, device, progress)?
        };
        let image = {
            let vae = self.model.load_vae(precision, device, progress)?;
            let noise = noise.normal([1, self.model.vae.latent_channels, 1, height, width], device);
            image_latents(&vae, &portrait.canvas, latent_frames, noise, self.options.tiling, progress)?
        };
        let siglip = self.model.load_siglip(device, progress)?;
        let identity = identity_tokens(&siglip, &portrait.aligned, device, progress)?;
        Ok(Conditioning { control, image, identity })
    }

    /// Denoises from fresh noise.
    ///
    /// # Errors
    /// Those of loading the transformer and of [`Denoiser::run`].
    pub fn denoise(
        &self,
        conditioning: &Conditioning,
        noise: &mut NoiseGenerator,
        progress: Progress,
    ) -> Result<Denoised> {
        let (model, device, precision) = (self.model, self.device, self.options.precision);
        let transformer = match self.options.blocks {
            BlockWeights::Full => model.load_transformer(precision, device, progress)?,
            BlockWeights::Int8 => model.load_int8_transformer(precision, device, progress)?,
            BlockWeights::Offloaded => {
                model.load_offloaded_transformer(precision, device, &open_device(HOST)?, progress)?
            }
        };
        let initial = noise.normal(conditioning.control.dims(), self.device);
        let denoiser =
            Denoiser { transformer: &transformer, schedule: &self.model.schedule, settings: self.options.denoise };
        denoiser.run(conditioning, initial, noise, |_| Ok(()), progress)
    }

    /// Decodes latents to all frames of the clip, the leading ones included.
    ///
    /// # Errors
    /// Those of loading and running the VAE.
    pub fn decode(&self, latents: Tensor<5>, progress: Progress) -> Result<Vec<Frame>> {
        decode(self.model, latents, self.options.precision, self.options.tiling, progress)
    }
}

/// Decodes the latents of a finished denoising to frames.
///
/// # Shapes
/// `latents` `[1, latent_frames, 16, height, width] ->` frames of `8 height x 8 width`
///
/// # Errors
/// Those of loading and running the VAE, [`Error::Request`] for latents of another VAE.
pub fn decode(
    model: &ModelDir,
    latents: Tensor<5>,
    precision: Precision,
    tiling: Tiling,
    progress: Progress,
) -> Result<Vec<Frame>> {
    let [_, _, channels, _, _] = latents.dims();
    if channels != model.vae.latent_channels {
        let reason = format!("they have {channels} channels, the VAE of this model {}", model.vae.latent_channels);
        return Err(Error::request("latents", reason));
    }
    let vae = model.load_vae(precision, &latents.device(), progress)?;
    let latents = vae.unscale(latents.swap_dims(1, 2));
    tensor_to_frames(vae.decode(latents, tiling, progress)?)
}
