//! The configurations of a checkpoint, read and checked before any weight is.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use skyreels_core::checkpoint::{LoadReport, Lora, Published, Weights, read_config};
use skyreels_core::diffusion::{Schedule, SchedulerConfig};
use skyreels_core::{Device, Limits, Precision, Progress};
use skyreels_dit::{SiglipConfig, SiglipVisionTower, Transformer, TransformerConfig};
use skyreels_vae::{CausalVae, LandmarkGuider, VaeConfig};

use super::{GUIDER, SCHEDULER, SIGLIP, TRANSFORMER, VAE};
use crate::{Error, Result};

/// A checkpoint whose configurations are known and fit each other. Weights are loaded component by
/// component, when their stage begins, and dropped when it ends.
#[derive(Debug, Clone)]
pub struct ModelDir {
    path: PathBuf,
    limits: Limits,
    /// What is added to the denoiser's weights.
    loras: Vec<Lora>,
    /// Sizes of the denoiser.
    pub transformer: TransformerConfig,
    /// Sizes of the video VAE.
    pub vae: VaeConfig,
    /// Sizes of the landmark guider.
    pub guider: VaeConfig,
    /// Sizes of the vision tower.
    pub siglip: SiglipConfig,
    /// Noise schedule.
    pub schedule: Schedule,
}

/// Channels of a picture.
const COLORS: usize = 3;

/// A SigLIP checkpoint may hold both towers; the vision part is what counts.
#[derive(Deserialize)]
#[serde(untagged)]
enum SiglipFile {
    Both { vision_config: SiglipConfig },
    Vision(SiglipConfig),
}

impl SiglipFile {
    fn vision(&self) -> &SiglipConfig {
        match self {
            Self::Both { vision_config } => vision_config,
            Self::Vision(config) => config,
        }
    }
}

impl ModelDir {
    /// Reads and checks the configuration of every component in `path`.
    ///
    /// # Errors
    /// [`Error::Core`] when a file is missing or incomplete, [`Error::Config`] when a network
    /// refuses its configuration, [`Error::Mismatch`] when the components do not belong together.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let mut transformer = read_transformer(&path)?;
        let (vae, guider) = (read_vae(&path, VAE)?, read_vae(&path, GUIDER)?);
        let siglip = read_siglip(&path)?;
        // The published JSON does not tell the width of its identity tokens: it is the tower's.
        transformer.pose_embed_width.get_or_insert(siglip.hidden_size);
        let schedule = read_schedule(&path)?;
        let model = Self { path, limits: *limits, loras: Vec::new(), transformer, vae, guider, siglip, schedule };
        model.check()?;
        Ok(model)
    }

    /// The same model with low-rank updates, which are added to the denoiser's weights whenever those are loaded. Whether they fit is seen
    /// then, or by [`check_weights`](Self::check_weights).
    #[must_use]
    pub fn with_loras(mut self, loras: Vec<Lora>) -> Self {
        self.loras = loras;
        self
    }

    /// The checkpoint directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Pixel size and frame count that the model was made for: `[frames, height, width]`.
    pub fn native_size(&self) -> [usize; 3] {
        let pixels = self.vae.spatial_compression_ratio();
        let config = &self.transformer;
        [config.sample_frames, config.sample_height * pixels, config.sample_width * pixels]
    }

    /// Latent size of a clip of `[frames, height, width]` pixels: `[frames, height, width]`.
    ///
    /// # Errors
    /// [`Error::Request`] when the clip is not one that the model can make, with the nearest one.
    pub fn latent_size(&self, [frames, height, width]: [usize; 3]) -> Result<[usize; 3]> {
        let most = self.limits.max_side as usize;
        if height > most || width > most {
            return Err(Error::request("size", format!("{height}x{width} has a side of more than {most} pixels")));
        }
        if frames as u64 > self.limits.max_frames {
            return Err(Error::request("frames", format!("{frames} are more than {}", self.limits.max_frames)));
        }
        let pixels = self.vae.spatial_compression_ratio();
        let step = pixels * self.transformer.patch_size;
        if height == 0 || width == 0 || height % step != 0 || width % step != 0 {
            let near = |side: usize| (side.max(step) + step / 2) / step * step;
            let reason = format!(
                "{height}x{width} is not a multiple of {step}; use for example {}x{}",
                near(height),
                near(width)
            );
            return Err(Error::request("size", reason));
        }
        self.vae.check_clip(frames).map_err(|error| Error::request("frames", error.to_string()))?;
        let latents = [self.vae.latent_frames(frames), height / pixels, width / pixels];
        let native = [self.transformer.sample_height, self.transformer.sample_width];
        if self.transformer.use_learned_positional_embeddings && latents[1..] != native {
            let [_, height, width] = self.native_size();
            let reason = format!("this checkpoint has learned positions for {height}x{width} and makes no other size");
            return Err(Error::request("size", reason));
        }
        Ok(latents)
    }

    /// Loads the denoiser, with its [low-rank updates](Self::with_loras).
    ///
    /// # Errors
    /// [`Error::Core`] for weights and updates that do not fit, [`Error::Dit`] when the face branch is dead.
    pub fn load_transformer(&self, precision: Precision, device: &Device, progress: Progress) -> Result<Transformer> {
        let model = self.load(TRANSFORMER, self.transformer.init(device)?, precision, progress)?;
        let model = Lora::merge(&self.loras, model, progress)?;
        model.check_face_branch()?;
        Ok(model)
    }

    /// Loads the denoiser with the weights of its blocks in 8 bits ([`TransformerConfig::init_int8`]), everything else
    /// in `precision`.
    ///
    /// # Errors
    /// Those of [`load_transformer`](Self::load_transformer), and [`Error::Dit`] for a device without such weights.
    pub fn load_int8_transformer(
        &self,
        precision: Precision,
        device: &Device,
        progress: Progress,
    ) -> Result<Transformer> {
        self.load_into(self.transformer.init_int8(device)?, precision, progress)
    }

    /// Loads the denoiser, its blocks into the memory of `host` ([`TransformerConfig::init_offloaded`]).
    ///
    /// # Errors
    /// Those of [`load_transformer`](Self::load_transformer).
    pub fn load_offloaded_transformer(
        &self,
        precision: Precision,
        device: &Device,
        host: &Device,
        progress: Progress,
    ) -> Result<Transformer> {
        self.load_into(self.transformer.init_offloaded(device, host)?, precision, progress)
    }

    /// Blocks that are not plain tensors.
    fn load_into(&self, empty: Transformer, precision: Precision, progress: Progress) -> Result<Transformer> {
        self.check_without_loras()?;
        let model = self.load(TRANSFORMER, empty, precision, progress)?;
        model.check_face_branch()?;
        Ok(model)
    }

    /// Refuses low-rank updates where the blocks are not plain tensors: before a run begins, not when its denoiser is loaded.
    ///
    /// # Errors
    /// [`Error::Request`] when there are any.
    pub(crate) fn check_without_loras(&self) -> Result<()> {
        if self.loras.is_empty() {
            return Ok(());
        }
        let reason = "low-rank updates are added to plain weights; leave `--int8` and `--offload` away".to_owned();
        Err(Error::request("lora", reason))
    }

    /// Loads the video VAE.
    ///
    /// # Errors
    /// [`Error::Core`] for weights that do not fit.
    pub fn load_vae(&self, precision: Precision, device: &Device, progress: Progress) -> Result<CausalVae> {
        self.load(VAE, CausalVae::new(&self.vae, device)?, precision, progress)
    }

    /// Loads the landmark guider.
    ///
    /// # Errors
    /// [`Error::Core`] for weights that do not fit.
    pub fn load_guider(&self, precision: Precision, device: &Device, progress: Progress) -> Result<LandmarkGuider> {
        self.load(GUIDER, LandmarkGuider::new(&self.guider, device)?, precision, progress)
    }

    /// Loads the vision tower, always in f32 as the original does.
    ///
    /// # Errors
    /// [`Error::Core`] for weights that do not fit.
    pub fn load_siglip(&self, device: &Device, progress: Progress) -> Result<SiglipVisionTower> {
        self.load(SIGLIP, self.siglip.init(device)?, Precision::F32, progress)
    }

    /// Opens the weights of a component.
    ///
    /// # Errors
    /// [`Error::Core`] when they are missing or damaged.
    pub fn weights(&self, component: &str) -> Result<Weights> {
        Ok(Weights::open(self.path.join(component), &self.limits)?)
    }

    /// Compares keys and shapes of every component and every low-rank update with its network, without reading a tensor: what is wrong
    /// with the last one should not be found out after an hour.
    ///
    /// # Errors
    /// [`Error::Core`] for the first component whose weights are missing, damaged or do not fit.
    pub fn check_weights(&self, device: &Device) -> Result<()> {
        self.check_component(GUIDER, &LandmarkGuider::new(&self.guider, device)?)?;
        self.check_component(VAE, &CausalVae::new(&self.vae, device)?)?;
        self.check_component(SIGLIP, &self.siglip.init(device)?)?;
        let transformer = self.transformer.init(device)?;
        self.check_component(TRANSFORMER, &transformer)?;
        self.loras.iter().try_for_each(|lora| refuse(lora.path(), lora.check(&transformer)))
    }

    fn check_component<M: Published>(&self, component: &str, module: &M) -> Result<()> {
        let weights = self.weights(component)?;
        refuse(weights.path(), weights.check(module))
    }

    fn load<M: Published>(&self, component: &str, module: M, precision: Precision, progress: Progress) -> Result<M> {
        Ok(self.weights(component)?.load(module, precision, progress)?)
    }

    fn check(&self) -> Result<()> {
        let latents = self.vae.latent_channels;
        let colors = [self.vae.in_channels, self.vae.out_channels, self.guider.in_channels, self.siglip.num_channels];
        let checks = [
            (colors == [COLORS; 4], "vae, pose_guider and vision tower must take and give 3 colours"),
            (
                self.transformer.in_channels == 3 * latents,
                "transformer in_channels must be 3 times vae latent_channels",
            ),
            (self.transformer.out_channels == latents, "transformer out_channels must be vae latent_channels"),
            (self.guider.latent_channels == latents, "pose_guider latent_channels must be those of the vae"),
            (
                self.guider.spatial_compression_ratio() == self.vae.spatial_compression_ratio()
                    && self.guider.temporal_compression_ratio == self.vae.temporal_compression_ratio,
                "pose_guider and vae must compress space and time alike",
            ),
            (
                self.transformer.identity_width() == self.siglip.hidden_size,
                "the transformer's identity width must be the hidden_size of the vision tower",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(Error::Mismatch { path: self.path.clone(), reason: (*reason).to_string() }),
            None => Ok(()),
        }
    }
}

/// An error for a report that is not clean.
fn refuse(path: &Path, report: LoadReport) -> Result<()> {
    if report.is_clean() {
        return Ok(());
    }
    Err(skyreels_core::Error::Checkpoint { path: path.to_path_buf(), report: Box::new(report) }.into())
}

/// The configuration at `component/name`, checked.
fn read<C: DeserializeOwned, E: ToString>(
    path: &Path,
    component: &str,
    name: &str,
    check: impl FnOnce(&C) -> std::result::Result<(), E>,
) -> Result<C> {
    let path = path.join(component).join(name);
    let config = read_config(&path)?;
    check(&config).map_err(|error| Error::Config { path, reason: error.to_string() })?;
    Ok(config)
}

pub(super) fn read_transformer(path: &Path) -> Result<TransformerConfig> {
    read(path, TRANSFORMER, "config.json", TransformerConfig::validate)
}

pub(super) fn read_vae(path: &Path, component: &str) -> Result<VaeConfig> {
    read(path, component, "config.json", VaeConfig::validate)
}

pub(super) fn read_siglip(path: &Path) -> Result<SiglipConfig> {
    let file: SiglipFile = read(path, SIGLIP, "config.json", |file: &SiglipFile| file.vision().validate())?;
    Ok(file.vision().clone())
}

pub(super) fn read_schedule(path: &Path) -> Result<Schedule> {
    let config: SchedulerConfig =
        read(path, SCHEDULER, "scheduler_config.json", |config| Schedule::new(config).map(drop))?;
    Ok(Schedule::new(&config)?)
}
