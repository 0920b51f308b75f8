//! The VAE as a task of a run.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{Published, Weights};
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::output::write_file;
use skyreels_core::pixels::{frames_to_tensor, values_to_frames};
use skyreels_core::{Error as CoreError, Frame, Limits, Precision, Progress};
use skyreels_vae::differentiate::Tape;
use skyreels_vae::{CausalVae, Tiling, VaeConfig, decode_flops, encode_flops};

use super::loss::ReconstructionLoss;
use super::whiten::{Moments, Whitening};
use crate::data::{Dataset, Kept, Order, mix};
use crate::optimise::{Gradients, Pieces};
use crate::run::{STATE, Samples, Task, link_others, save_component};
use crate::stage::{Latents, Stage};
use crate::{Error, Result};

/// Folders in a model directory.
const VAE: &str = "vae";
const GUIDER: &str = "pose_guider";
/// A training step is about as much work as three forward passes.
const PASSES: u64 = 3;
/// Clips whose latents say how all are whitened.
const WHITENED_BY: u64 = 32;

/// Settings of the VAE's training beside its stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderSettings {
    /// The loss.
    pub loss: ReconstructionLoss,
    /// Frames, height and width of what is cut out of a clip for a step; the whole clip by default.
    pub crop: Option<[usize; 3]>,
    /// Share of examples that show the guide clip instead of the video: the landmark guider begins as a copy of the VAE.
    pub guide_share: f64,
    /// Checkpoints hold the VAE as landmark guider too, and their configurations the same factor.
    pub copy_to_guider: bool,
    /// Checkpoints hold the factor that gives the latents of held-out examples a deviation of 1; else the factor stays.
    pub measure_scale: bool,
    /// Held-out examples that the loss is measured on.
    pub held_out: u64,
    /// Reconstructions that are shown.
    pub shown: u64,
    /// Megabytes of clips that are kept in memory.
    pub cache_megabytes: usize,
}

impl Default for AutoencoderSettings {
    fn default() -> Self {
        Self {
            loss: ReconstructionLoss::default(),
            crop: None,
            guide_share: 0.0,
            copy_to_guider: true,
            measure_scale: true,
            held_out: 4,
            shown: 2,
            cache_megabytes: 1000,
        }
    }
}

/// The VAE under the key of its folder: `vae.encoder.conv_in.conv.weight`.
#[derive(Module, Debug)]
pub struct Autoencoder {
    /// The VAE.
    pub vae: CausalVae,
}

impl Published for Autoencoder {}

/// Training of the VAE.
pub struct AutoencoderTask<'a> {
    config: VaeConfig,
    base: PathBuf,
    settings: AutoencoderSettings,
    data: &'a dyn Dataset,
    held_out: Option<&'a dyn Dataset>,
    seed: u64,
    device: Device,
    kept: Kept<u64, Clips>,
    /// Frames, height and width of what a step sees.
    size: OnceLock<[usize; 3]>,
}

/// What an example shows.
struct Clips {
    video: Vec<Frame>,
    guide: Vec<Frame>,
}

impl std::fmt::Debug for AutoencoderTask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AutoencoderTask").field("settings", &self.settings).field("seed", &self.seed).finish()
    }
}

impl<'a> AutoencoderTask<'a> {
    /// A task on `device`, which is one without automatic differentiation; `base` is the model directory whose `vae/` has
    /// this configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no example.
    pub fn new(
        config: &VaeConfig,
        base: &Path,
        settings: AutoencoderSettings,
        data: &'a dyn Dataset,
        held_out: Option<&'a dyn Dataset>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        if data.is_empty() {
            return Err(Error::invalid("data", "there is no example"));
        }
        if let Some([frames, ..]) = settings.crop {
            config.check_clip(frames)?;
        }
        let (config, base, device) = (config.clone(), base.to_path_buf(), device.clone());
        let (kept, size) = (Kept::new(settings.cache_megabytes), OnceLock::new());
        Ok(Self { config, base, settings, data, held_out, seed, device, kept, size })
    }

    /// The VAE of a model directory, ready for training.
    ///
    /// # Errors
    /// When weights are missing or do not fit.
    pub fn networks(&self, directory: &Path) -> Result<Autoencoder> {
        let vae = CausalVae::new(&self.config, &self.device.clone().autodiff())?;
        let weights = Weights::open(directory.join(VAE), &Limits::default())?;
        Ok(Autoencoder { vae: weights.load(vae, Precision::F32, Progress::none())? })
    }

    fn clips(&self, index: u64) -> Result<Arc<Clips>> {
        let make = || {
            let example = self.data.example(index)?;
            example.check()?;
            Ok(Clips { video: example.video, guide: example.guide })
        };
        let bytes = |clips: &Clips| clips.video.iter().chain(&clips.guide).map(|frame| frame.as_raw().len()).sum();
        self.kept.get(index, make, bytes)
    }

    /// What the example at a cursor shows in this pass: video or guide clip, whole or a part.
    fn seen(&self, clips: &Clips, random: &mut NoiseGenerator) -> Result<Tensor<5>> {
        let guide = random.uniform() < self.settings.guide_share;
        let frames = if guide { &clips.guide } else { &clips.video };
        let (width, height) = frames[0].dimensions();
        let whole = [frames.len(), height as usize, width as usize];
        let crop = self.settings.crop.unwrap_or(whole);
        if crop.iter().zip(whole).any(|(part, whole)| *part > whole || *part == 0) {
            let reason = format!("{crop:?} (frames, height, width) cannot be cut out of {whole:?}");
            return Err(Error::invalid("crop", reason));
        }
        let start: [usize; 3] =
            std::array::from_fn(|axis| (random.uniform() * (whole[axis] - crop[axis] + 1) as f64) as usize);
        let part = |frame: &Frame| {
            let [x, y, w, h] = [start[2], start[1], crop[2], crop[1]].map(|side| side as u32);
            image::imageops::crop_imm(frame, x, y, w, h).to_image()
        };
        let frames: Vec<Frame> = frames[start[0]..start[0] + crop[0]].iter().map(part).collect();
        Ok(frames_to_tensor(&frames, &self.device))
    }

    /// The factor that gives channels of held-out examples' latents a deviation of 1, each around its own mean.
    fn measured_scale(&self, vae: &CausalVae) -> Result<f64> {
        let Some(data) = self.held_out else { return Ok(self.config.scaling_factor) };
        let factor = self.moments(vae, data, self.settings.held_out)?.variance().sqrt().recip();
        Ok(if factor.is_finite() && factor > 0.0 { factor } else { self.config.scaling_factor })
    }

    /// Of the latents of the first `count` clips.
    fn moments(&self, vae: &CausalVae, data: &dyn Dataset, count: u64) -> Result<Moments> {
        let mut moments = Moments::new(self.config.latent_channels);
        for index in 0..count.min(data.len()) {
            let frames = frames_to_tensor(&data.example(index)?.video, &self.device);
            moments.add(vae.encode(frames, Tiling::On, Progress::none())?);
        }
        Ok(moments)
    }
}

impl Task for AutoencoderTask<'_> {
    type Networks = Autoencoder;

    fn begin(
        &mut self,
        networks: Autoencoder,
        stage: &Stage,
        _: &BTreeSet<String>,
        fresh: bool,
    ) -> Result<Autoencoder> {
        match stage.begin.latents {
            Latents::Whiten(strength) if fresh => {
                let moments = self.moments(&networks.vae.valid(), self.data, WHITENED_BY)?;
                Ok(Whitening::new(&moments, strength)?.apply(networks, &self.device))
            }
            _ => Ok(networks),
        }
    }

    fn gradients(&self, networks: &Autoencoder, cursors: Range<u64>, share: f64) -> Result<(f64, Gradients)> {
        let order = Order::new(self.data.len(), self.seed);
        let mut frames = Vec::new();
        let mut noise = Vec::new();
        for cursor in cursors {
            let mut random = NoiseGenerator::new(mix(self.seed, cursor));
            let seen = self.seen(&*self.clips(order.index(cursor))?, &mut random)?;
            let [_, _, count, height, width] = seen.dims();
            let pixels = self.config.spatial_compression_ratio();
            let shape =
                [1, self.config.latent_channels, self.config.latent_frames(count), height / pixels, width / pixels];
            self.size.get_or_init(|| [count, height, width]);
            noise.push(random.normal(shape, &self.device));
            frames.push(seen);
        }
        let frames = Tensor::<5>::from_inner(Tensor::cat(frames, 0));
        let noise = Tensor::<5>::from_inner(Tensor::cat(noise, 0));
        let (vae, device) = (&networks.vae, frames.device());
        let pieces = Pieces::for_device(&device, frames.dtype());
        let (made, posterior) = match &pieces {
            Some(pieces) => {
                let tape: Arc<dyn Tape> = pieces.clone();
                let posterior = vae.encode_on_tape(frames.clone(), &tape)?;
                (vae.decode_on_tape(posterior.sample(noise)?, &tape)?, posterior)
            }
            None => {
                let posterior = vae.encode(frames.clone(), Tiling::Off, Progress::none())?;
                (vae.decode(posterior.sample(noise)?, Tiling::Off, Progress::none())?, posterior)
            }
        };
        let loss = self.settings.loss.of(made, frames, &posterior).mul_scalar(share);
        let gradients = match &pieces {
            Some(pieces) => pieces.backward(&loss, networks),
            None => Gradients::collect(networks, &loss.backward()),
        };
        Ok((f64::from(loss.into_scalar::<f32>()), gradients))
    }

    fn flops(&self, _: &Autoencoder, examples: u64) -> u64 {
        let Some(&[frames, height, width]) = self.size.get() else { return 0 };
        let pixels = self.config.spatial_compression_ratio();
        let latents = [self.config.latent_frames(frames), height / pixels, width / pixels];
        let forward = encode_flops(&self.config, frames, height, width).saturating_add(decode_flops(
            &self.config,
            latents[0],
            latents[1],
            latents[2],
        ));
        forward.saturating_mul(PASSES * examples)
    }

    /// Of whole clips, through the means of their latents.
    fn held_out_loss(&self, networks: &Autoencoder) -> Result<Option<f64>> {
        let Some(data) = self.held_out else { return Ok(None) };
        let count = self.settings.held_out.min(data.len());
        if count == 0 {
            return Ok(None);
        }
        let vae = networks.vae.valid();
        let mut sum = 0.0;
        for index in 0..count {
            let frames = frames_to_tensor(&data.example(index)?.video, &self.device);
            let posterior = vae.encode(frames.clone(), Tiling::Off, Progress::none())?;
            let made = vae.decode(posterior.mode(), Tiling::Off, Progress::none())?;
            sum += f64::from(self.settings.loss.of(made, frames, &posterior).into_scalar::<f32>());
        }
        Ok(Some(sum / count as f64))
    }

    /// Truth and reconstruction beside each other, videos above, guide clips below.
    fn samples(&self, networks: &Autoencoder) -> Result<Option<Samples>> {
        let Some(data) = self.held_out else { return Ok(None) };
        let vae = networks.vae.valid();
        let mut rows = Vec::new();
        for index in 0..self.settings.shown.min(data.len()) {
            let example = data.example(index)?;
            for clip in [example.video, example.guide] {
                let posterior = vae.encode(frames_to_tensor(&clip, &self.device), Tiling::Off, Progress::none())?;
                let made = vae.decode(posterior.mode(), Tiling::Off, Progress::none())?;
                let [_, _, frames, height, width] = made.dims();
                let values: Vec<f32> = made.into_data().iter().collect();
                rows.push(vec![clip, values_to_frames(&values, [frames, height, width])]);
            }
        }
        Ok(Samples::grid(&rows))
    }

    fn save(&self, networks: &Autoencoder, directory: &Path) -> Result<()> {
        let folders: &[&str] = if self.settings.copy_to_guider { &[VAE, GUIDER] } else { &[VAE] };
        let mut config = self.config.clone();
        if self.settings.measure_scale {
            config.scaling_factor = self.measured_scale(&networks.vae.valid())?;
        }
        save_component(&networks.vae, &self.base, directory, VAE)?;
        let path = directory.join(VAE).join("config.json");
        set_scale(&path, config.scaling_factor)?;
        if self.settings.copy_to_guider {
            link_others(&directory.join(VAE), &directory.join(GUIDER), &[])?;
        }
        let kept: Vec<&str> = folders.iter().copied().chain([STATE]).collect();
        link_others(&self.base, directory, &kept)
    }

    fn load(&self, directory: &Path) -> Result<Autoencoder> {
        self.networks(directory)
    }

    fn device(&self) -> &Device {
        &self.device
    }
}

/// Changes the factor in a configuration and leaves everything else in it as it is.
fn set_scale(path: &Path, factor: f64) -> Result<()> {
    let text = fs::read(path).map_err(CoreError::io("read", path))?;
    let mut config: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| CoreError::malformed(path, "configuration", e.to_string()))?;
    config["scaling_factor"] = factor.into();
    Ok(write_file(path, &serde_json::to_vec_pretty(&config).expect("it was read as JSON"))?)
}
