//! The denoiser as a task of a run.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::Weights;
use skyreels_core::diffusion::{NoiseGenerator, Schedule};
use skyreels_core::pixels::values_to_frames;
use skyreels_core::{Limits, Precision, Progress};
use skyreels_dit::{SiglipVisionTower, TransformerConfig};
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling, VaeConfig};

use super::batch::{Batch, Dropout, Noise};
use super::denoising::Denoising;
use super::encode::{Encoded, Encoder};
use super::gradients::{Loss, loss_and_gradients, loss_only};
use super::picture;
use super::sample::{Sampling, sample_latents};
use crate::data::{Ahead, Dataset, Kept, Order};
use crate::loss::Objective;
use crate::optimise::Gradients;
use crate::run::{Samples, Task, link_others, save_component};
use crate::stage::{Latents, LossSettings, Stage};
use crate::{Error, Result};

/// Folders of the trained components in a model directory.
const TRANSFORMER: &str = "transformer";
const GUIDER: &str = "pose_guider";
/// A training step is about as much work as three forward passes: the backward pass has two products for each of the forward.
const PASSES: u64 = 3;
/// Seed of the noise on held-out examples: the same in every run, so that runs can be compared.
const HELD_OUT_SEED: u64 = 0x5EED_0F4E_1D07;
/// Draws of timestep and noise for each held-out example: a single timestep would say little.
const HELD_OUT_DRAWS: u64 = 4;

/// Settings of the denoiser's training beside its stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiffusionSettings {
    /// Held-out examples that the loss is measured on.
    pub held_out: u64,
    /// Samples that are shown.
    pub sampling: Sampling,
    /// The loss on held-out examples; by default that of the stage. Runs with different losses are compared by one that is named here.
    pub held_out_loss: Option<LossSettings>,
    /// Whether the next examples are read or rendered while a step is computed; the results are the same.
    pub ahead: bool,
    /// Megabytes of encoded examples that are kept in memory; those beyond are encoded again when they come back.
    pub cache_megabytes: usize,
}

impl Default for DiffusionSettings {
    fn default() -> Self {
        Self { held_out: 8, held_out_loss: None, ahead: true, sampling: Sampling::default(), cache_megabytes: 2000 }
    }
}

/// Networks that are not trained, and what the trained ones are made from.
#[derive(Debug)]
pub struct Parts {
    /// The video VAE.
    pub vae: CausalVae,
    /// The vision tower.
    pub siglip: SiglipVisionTower,
    /// The noise schedule.
    pub schedule: Schedule,
    /// Sizes of the denoiser.
    pub transformer: TransformerConfig,
    /// Sizes of the landmark guider.
    pub guider: VaeConfig,
    /// The model directory; checkpoints take from it what is not trained.
    pub base: PathBuf,
    /// Type of weights and activations of denoiser and guider; masters and norms are f32.
    pub precision: Precision,
}

/// The three stages: transformer, projector and landmark guider.
pub struct DiffusionTask<'a> {
    parts: Parts,
    settings: DiffusionSettings,
    data: &'a dyn Dataset,
    held_out: Option<&'a dyn Dataset>,
    seed: u64,
    device: Device,
    /// By whether they are held out, and their number.
    kept: Kept<(bool, u64), Encoded>,
    /// Latent frames, height and width, and identity tokens of the examples.
    sizes: OnceLock<([usize; 3], usize)>,
    ahead: Ahead,
    stage: Option<Current>,
}

/// The stage under way.
struct Current {
    stage: Stage,
    /// The guider where it is frozen, without gradients.
    guider: Option<LandmarkGuider>,
    /// What the channels' errors change in the picture, where a loss asks.
    sensitivity: Option<Vec<f64>>,
}

impl std::fmt::Debug for DiffusionTask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiffusionTask").field("settings", &self.settings).field("seed", &self.seed).finish()
    }
}

impl<'a> DiffusionTask<'a> {
    /// A task on `device`, which is one without automatic differentiation.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no example.
    pub fn new(
        parts: Parts,
        settings: DiffusionSettings,
        data: &'a dyn Dataset,
        held_out: Option<&'a dyn Dataset>,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        if data.is_empty() {
            return Err(Error::invalid("data", "there is no example"));
        }
        let (device, ahead) = (device.clone(), Ahead::default());
        let (kept, sizes) = (Kept::new(settings.cache_megabytes), OnceLock::new());
        Ok(Self { parts, settings, data, held_out, seed, device, kept, sizes, ahead, stage: None })
    }

    /// The networks of a model directory, ready for training.
    ///
    /// # Errors
    /// When weights are missing or do not fit.
    pub fn networks(&self, directory: &Path) -> Result<Denoising> {
        self.loader().networks(directory)
    }

    /// What reads the networks, apart from the task.
    pub fn loader(&self) -> Loader {
        Loader::of(&self.parts, &self.device)
    }

    fn current(&self) -> Result<&Current> {
        self.stage.as_ref().ok_or_else(|| Error::invalid("run", "no stage has begun"))
    }

    /// An encoded example, which is kept where there is room.
    fn encoded(&self, data: &dyn Dataset, is_held_out: bool, index: u64) -> Result<Arc<Encoded>> {
        let current = self.current()?;
        let make = || {
            let encoder = Encoder {
                vae: &self.parts.vae,
                siglip: &self.parts.siglip,
                guider: current.guider.as_ref(),
                face_aware: self.loss(current, is_held_out).weights(),
                tiling: Tiling::On,
            };
            let ahead = if is_held_out { None } else { self.ahead.take(index) };
            let example = ahead.map_or_else(|| data.example(index), Ok)?;
            encoder.encode(&example, &self.device)
        };
        let encoded = self.kept.get((is_held_out, index), make, Encoded::bytes)?;
        let [_, frames, _, height, width] = encoded.video[0].dims();
        self.sizes.get_or_init(|| ([frames, height, width], encoded.identity.dims()[1]));
        Ok(encoded)
    }

    fn loss(&self, current: &Current, is_held_out: bool) -> LossSettings {
        self.settings.held_out_loss.filter(|_| is_held_out).unwrap_or(current.stage.loss)
    }

    fn objective(&self, loss: LossSettings) -> Objective<'_> {
        Objective::new(&self.parts.schedule).measured_on(loss.measured_on.into())
    }

    /// Numbers of the examples that follow those of a part of a batch and are not encoded yet.
    fn next(&self, cursors: &Range<u64>, stage: &Stage) -> Vec<u64> {
        if !self.settings.ahead {
            return Vec::new();
        }
        let order = Order::new(self.data.len(), self.seed);
        let part = stage.batch / stage.accumulate;
        let next = cursors.clone().map(|cursor| order.index(cursor + part));
        next.filter(|index| !self.kept.contains(&(false, *index))).collect()
    }

    fn batch(
        &self,
        examples: &[(u64, Arc<Encoded>)],
        loss: LossSettings,
        dropout: &Dropout,
        noise: Noise,
    ) -> Result<Batch> {
        let objective = self.objective(loss);
        let mut batch = Batch::draw(examples, &objective, &self.parts.schedule, dropout, noise, &self.device)?;
        if let Some(sensitivity) = self.current()?.sensitivity.as_ref().filter(|_| loss.picture > 0.0) {
            let weights = TensorData::new(picture::weights(sensitivity, loss.picture), [1, 1, sensitivity.len(), 1, 1]);
            batch.weights = batch.weights * Tensor::from_data(weights, (&self.device, DType::F32));
        }
        Ok(batch)
    }

    /// What errors of the channels change in the picture, in the mean over a few examples.
    fn sensitivity(&self) -> Result<Vec<f64>> {
        let vae = &self.parts.vae;
        let mut sum = vec![0.0; vae.config().latent_channels];
        for index in 0..picture::PROBED.min(self.data.len()) {
            let latents = self.encoded(self.data, false, index)?.video[0].clone();
            let decode = |latents| Ok(vae.decode(vae.unscale(latents), Tiling::On, Progress::none())?);
            let found = picture::sensitivity(&latents.swap_dims(1, 2), decode)?;
            sum.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
        Ok(sum)
    }
}

/// Reads the networks that are trained.
#[derive(Debug, Clone)]
pub struct Loader {
    transformer: TransformerConfig,
    guider: VaeConfig,
    precision: Precision,
    device: Device,
}

impl Loader {
    /// What reads networks of these sizes to `device`, which is one without automatic differentiation.
    pub fn of(parts: &Parts, device: &Device) -> Self {
        Self {
            transformer: parts.transformer.clone(),
            guider: parts.guider.clone(),
            precision: parts.precision,
            device: device.clone().autodiff(),
        }
    }

    /// The networks of a model directory, ready for training.
    ///
    /// # Errors
    /// When weights are missing or do not fit.
    pub fn networks(&self, directory: &Path) -> Result<Denoising> {
        let open = |name: &str| Weights::open(directory.join(name), &Limits::default());
        let transformer = self.transformer.init(&self.device)?;
        let pose_guider = LandmarkGuider::new(&self.guider, &self.device)?;
        Ok(Denoising {
            transformer: open(TRANSFORMER)?.load(transformer, self.precision, Progress::none())?,
            pose_guider: open(GUIDER)?.load(pose_guider, self.precision, Progress::none())?,
        })
    }
}

impl Task for DiffusionTask<'_> {
    type Networks = Denoising;

    fn begin(
        &mut self,
        mut networks: Denoising,
        stage: &Stage,
        keys: &BTreeSet<String>,
        fresh: bool,
    ) -> Result<Denoising> {
        if stage.begin.latents != Latents::Keep {
            let reason = format!("`{}`: begin.latents belongs into a stage that trains the VAE", stage.name);
            return Err(Error::invalid("stage", reason));
        }
        if fresh {
            networks.transformer = stage.begin.apply(networks.transformer, self.seed);
        }
        let trains_guider = keys.iter().any(|key| key.starts_with(GUIDER));
        let guider = (!trains_guider).then(|| networks.pose_guider.valid());
        // What is kept depends on the loss, and on whether it holds what a frozen guider says or what a trained one is shown.
        let same = |current: &Current| current.guider.is_some() == guider.is_some() && current.stage.loss == stage.loss;
        if !self.stage.as_ref().is_some_and(same) {
            self.kept.clear();
        }
        let asked =
            [Some(stage.loss), self.settings.held_out_loss].into_iter().flatten().any(|loss| loss.picture > 0.0);
        self.stage = Some(Current { stage: stage.clone(), guider, sensitivity: None });
        let sensitivity = asked.then(|| self.sensitivity()).transpose()?;
        self.stage = self.stage.take().map(|current| Current { sensitivity, ..current });
        Ok(networks)
    }

    fn gradients(&self, networks: &Denoising, cursors: Range<u64>, share: f64) -> Result<(f64, Gradients)> {
        let stage = &self.current()?.stage;
        let order = Order::new(self.data.len(), self.seed);
        let examples = cursors
            .clone()
            .map(|cursor| Ok((cursor, self.encoded(self.data, false, order.index(cursor))?)))
            .collect::<Result<Vec<_>>>()?;
        let noise = Noise { seed: self.seed, timesteps: stage.timesteps };
        let batch = self.batch(&examples, stage.loss, &stage.dropout, noise)?;
        let next = self.next(&cursors, stage);
        let number = cursors.start / (stage.batch / stage.accumulate).max(1);
        let loss = Loss { objective: self.objective(stage.loss), share };
        self.ahead.during(self.data, number, next, || loss_and_gradients(networks, &batch, &loss, stage.recompute))
    }

    fn flops(&self, networks: &Denoising, examples: u64) -> u64 {
        let Some(&(latents, identity)) = self.sizes.get() else { return 0 };
        let forward = networks.transformer.config().flops(examples as usize, latents, identity).unwrap_or(0);
        forward.saturating_mul(PASSES)
    }

    fn held_out_loss(&self, networks: &Denoising) -> Result<Option<f64>> {
        let Some(data) = self.held_out else { return Ok(None) };
        let count = self.settings.held_out.min(data.len());
        if count == 0 {
            return Ok(None);
        }
        let current = self.current()?;
        let settings = self.loss(current, true);
        let loss = Loss { objective: self.objective(settings), share: 1.0 };
        let dropped = current.stage.dropout.always();
        let mut sum = 0.0;
        for index in 0..count {
            let example = self.encoded(data, true, index)?;
            let examples: Vec<_> =
                (0..HELD_OUT_DRAWS).map(|draw| (index * HELD_OUT_DRAWS + draw, example.clone())).collect();
            let batch = self.batch(&examples, settings, &dropped, Noise::new(HELD_OUT_SEED))?;
            sum += loss_only(networks, &batch, &loss)?;
        }
        Ok(Some(sum / count as f64))
    }

    /// Guide, truth and sample beside each other, one row per example.
    fn samples(&self, networks: &Denoising) -> Result<Option<Samples>> {
        let Some(data) = self.held_out else { return Ok(None) };
        let count = self.settings.sampling.examples.min(data.len());
        let (networks, dropped) = (networks.valid(), self.current()?.stage.dropout.always());
        let (schedule, sampling) = (&self.parts.schedule, &self.settings.sampling);
        let mut rows = Vec::new();
        for index in 0..count {
            let encoded = self.encoded(data, true, index)?;
            let mut noise = NoiseGenerator::new(HELD_OUT_SEED ^ index);
            let latents = sample_latents(&networks, &encoded, schedule, sampling, &dropped, &mut noise)?;
            let video = self.parts.vae.unscale(latents.swap_dims(1, 2));
            let video = self.parts.vae.decode(video, Tiling::On, Progress::none())?;
            let [_, _, frames, height, width] = video.dims();
            let values: Vec<f32> = video.into_data().iter().collect();
            let made = values_to_frames(&values, [frames, height, width]);
            let example = data.example(index)?;
            rows.push(vec![example.guide, example.video, made]);
        }
        Ok(Samples::grid(&rows))
    }

    fn save(&self, networks: &Denoising, directory: &Path) -> Result<()> {
        let base = &self.parts.base;
        save_component(&networks.transformer, base, directory, TRANSFORMER)?;
        save_component(&networks.pose_guider, base, directory, GUIDER)?;
        link_others(base, directory, &[TRANSFORMER, GUIDER, crate::run::STATE])
    }

    fn load(&self, directory: &Path) -> Result<Denoising> {
        self.networks(directory)
    }

    fn device(&self) -> &Device {
        &self.device
    }
}
