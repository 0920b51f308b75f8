//! The landmark guider as a task of a run of its own.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{Published, Weights};
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::{Frame, Limits, Precision, Progress};
use skyreels_vae::differentiate::Tape;
use skyreels_vae::{LandmarkGuider, Tiling, VaeConfig, encode_flops};

use crate::data::{Dataset, Kept, Order};
use crate::optimise::{Gradients, Pieces};
use crate::run::{STATE, Samples, Task, link_others, save_component};
use crate::stage::{Latents, Stage};
use crate::{Error, Result};

/// Folders in a model directory.
const VAE: &str = "vae";
const GUIDER: &str = "pose_guider";
/// A training step is about as much work as three forward passes.
const PASSES: u64 = 3;

/// Settings of the guider's training beside its stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuiderSettings {
    /// Held-out examples that the loss is measured on.
    pub held_out: u64,
    /// Megabytes of guide clips and of what the VAE says of them that are kept in memory.
    pub cache_megabytes: usize,
}

impl Default for GuiderSettings {
    fn default() -> Self {
        Self { held_out: 4, cache_megabytes: 1000 }
    }
}

/// The guider under the key of its folder: `pose_guider.encoder.conv_in.conv.weight`.
#[derive(Module, Debug)]
pub struct Guider {
    /// The landmark guider.
    pub pose_guider: LandmarkGuider,
}

impl Published for Guider {}

/// Training of a landmark guider to say of guide clips what the VAE's encoder says of them.
///
/// The loss is the squared error of control latents as a share of their power: 0 is the VAE's word, 1 is silence.
pub struct GuiderTask<'a> {
    /// The VAE's encoder in the guider's place.
    teacher: LandmarkGuider,
    config: VaeConfig,
    base: PathBuf,
    settings: GuiderSettings,
    data: &'a dyn Dataset,
    held_out: Option<&'a dyn Dataset>,
    seed: u64,
    device: Device,
    kept: Kept<(bool, u64), Lesson>,
    /// Frames, height and width of the clips.
    size: OnceLock<[usize; 3]>,
}

/// A guide clip and what the VAE says of it, `[1, channels, latent_frames, latent_height, latent_width]`, scaled.
struct Lesson {
    clip: Vec<Frame>,
    said: Tensor<5>,
}

impl Lesson {
    fn bytes(&self) -> usize {
        let pixels: usize = self.clip.iter().map(|frame| frame.as_raw().len()).sum();
        pixels + 4 * self.said.dims().iter().product::<usize>()
    }
}

impl std::fmt::Debug for GuiderTask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuiderTask").field("settings", &self.settings).field("seed", &self.seed).finish()
    }
}

impl<'a> GuiderTask<'a> {
    /// A task on `device`, which is one without automatic differentiation; `config` is that of the guider, and `base` the model
    /// directory with its folder, and with the VAE that teaches.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no example, or when guider and VAE do not make latents of one shape; else those of loading the VAE.
    pub fn new(
        config: &VaeConfig,
        base: &Path,
        settings: GuiderSettings,
        data: &'a dyn Dataset,
        held_out: Option<&'a dyn Dataset>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        if data.is_empty() {
            return Err(Error::invalid("data", "there is no example"));
        }
        config.validate()?;
        let teacher =
            LandmarkGuider::load(base.join(VAE), &Limits::default(), Precision::F32, device, Progress::none())?;
        let [ours, theirs] = [config, teacher.config()]
            .map(|of| [of.latent_channels, of.temporal_compression_ratio, of.spatial_compression_ratio()]);
        if ours != theirs {
            let reason = format!(
                "channels and compression of latents in time and space are {ours:?}, those of the vae {theirs:?}"
            );
            return Err(Error::invalid(GUIDER, reason));
        }
        let (config, base, device) = (config.clone(), base.to_path_buf(), device.clone());
        let (kept, size) = (Kept::new(settings.cache_megabytes), OnceLock::new());
        Ok(Self { teacher, config, base, settings, data, held_out, seed, device, kept, size })
    }

    /// The guider of a model directory, ready for training.
    ///
    /// # Errors
    /// When weights are missing or do not fit.
    pub fn networks(&self, directory: &Path) -> Result<Guider> {
        let guider = LandmarkGuider::new(&self.config, &self.device.clone().autodiff())?;
        let weights = Weights::open(directory.join(GUIDER), &Limits::default())?;
        Ok(Guider { pose_guider: weights.load(guider, Precision::F32, Progress::none())? })
    }

    fn lesson(&self, data: &dyn Dataset, is_held_out: bool, index: u64) -> Result<Arc<Lesson>> {
        let make = || {
            let example = data.example(index)?;
            example.check()?;
            let clip = example.guide;
            let frames = frames_to_tensor(&clip, &self.device);
            Ok(Lesson { clip, said: self.teacher.control_latents(frames, Tiling::Off, Progress::none())? })
        };
        self.kept.get((is_held_out, index), make, Lesson::bytes)
    }
}

/// Squared error as a share of the power.
fn share_of_power(ours: Tensor<5>, said: Tensor<5>) -> Tensor<1> {
    (ours - said.clone()).square().sum() / said.square().sum()
}

impl Task for GuiderTask<'_> {
    type Networks = Guider;

    fn begin(&mut self, networks: Guider, stage: &Stage, _: &BTreeSet<String>, _: bool) -> Result<Guider> {
        if stage.begin.latents != Latents::Keep {
            let reason = format!("`{}`: begin.latents belongs into a stage that trains the VAE", stage.name);
            return Err(Error::invalid("stage", reason));
        }
        Ok(networks)
    }

    fn gradients(&self, networks: &Guider, cursors: Range<u64>, share: f64) -> Result<(f64, Gradients)> {
        let order = Order::new(self.data.len(), self.seed);
        let lessons =
            cursors.map(|cursor| self.lesson(self.data, false, order.index(cursor))).collect::<Result<Vec<_>>>()?;
        let clips = lessons.iter().map(|lesson| frames_to_tensor(&lesson.clip, &self.device)).collect();
        let clips = Tensor::<5>::from_inner(Tensor::cat(clips, 0));
        let said = Tensor::cat(lessons.iter().map(|lesson| lesson.said.clone()).collect(), 0);
        let [_, _, frames, height, width] = clips.dims();
        self.size.get_or_init(|| [frames, height, width]);
        let pieces = Pieces::for_device(&clips.device(), DType::F32);
        let ours = match &pieces {
            Some(pieces) => networks.pose_guider.control_latents_on_tape(clips, &(pieces.clone() as Arc<dyn Tape>))?,
            None => networks.pose_guider.control_latents(clips, Tiling::Off, Progress::none())?,
        };
        let loss = share_of_power(ours, Tensor::from_inner(said)).mul_scalar(share);
        let gradients = Pieces::gradients(pieces.as_deref(), &loss, networks);
        Ok((f64::from(loss.into_scalar::<f32>()), gradients))
    }

    fn flops(&self, _: &Guider, examples: u64) -> u64 {
        let Some(&[frames, height, width]) = self.size.get() else { return 0 };
        encode_flops(&self.config, frames, height, width).saturating_mul(PASSES * examples)
    }

    fn held_out_loss(&self, networks: &Guider) -> Result<Option<f64>> {
        let Some(data) = self.held_out else { return Ok(None) };
        let count = self.settings.held_out.min(data.len());
        if count == 0 {
            return Ok(None);
        }
        let guider = networks.pose_guider.valid();
        let mut sum = 0.0;
        for index in 0..count {
            let lesson = self.lesson(data, true, index)?;
            let clip = frames_to_tensor(&lesson.clip, &self.device);
            let ours = guider.control_latents(clip, Tiling::Off, Progress::none())?;
            sum += f64::from(share_of_power(ours, lesson.said.clone()).into_scalar::<f32>());
        }
        Ok(Some(sum / count as f64))
    }

    /// None: latents are numbers.
    fn samples(&self, _: &Guider) -> Result<Option<Samples>> {
        Ok(None)
    }

    fn save(&self, networks: &Guider, directory: &Path) -> Result<()> {
        save_component(&networks.pose_guider, &self.base, directory, GUIDER)?;
        link_others(&self.base, directory, &[GUIDER, STATE])
    }

    fn load(&self, directory: &Path) -> Result<Guider> {
        self.networks(directory)
    }

    fn device(&self) -> &Device {
        &self.device
    }
}
