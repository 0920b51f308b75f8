//! The landmark network as a task of a run.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{SHARD_BYTES, TRANSFORMERS_STEM, Weights, fill, initial_values, save};
use skyreels_core::output::write_file;
use skyreels_core::{Error as CoreError, Limits, Precision, Progress};
use skyreels_landmarks::compact::{CompactConfig, CompactNetwork};
use skyreels_landmarks::{BLENDSHAPES, LANDMARKS};

use super::loss::loss;
use super::measure::{LandmarkErrors, numbers};
use super::samples::Samples;
use crate::Result;
use crate::optimise::{Gradients, Pieces};
use crate::run::{Samples as Shown, Task};
use crate::stage::Stage;
use crate::world::{Person, State};

/// Folder of the network in a model directory.
pub const FOLDER: &str = "landmarks";
/// People and samples from whom the means are taken.
const MEAN_OF: u64 = 64;
/// A training step is about as much work as three forward passes.
const PASSES: u64 = 3;

/// What is trained, and on whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LandmarkSettings {
    /// The network.
    pub network: CompactConfig,
    /// Seeds of the people that are shown: first, and one after the last.
    pub identities: [u64; 2],
    /// Seeds of people that are only measured on.
    pub held_out: [u64; 2],
    /// Samples that are measured on.
    pub measured: u64,
    /// Seed of weights and samples.
    pub seed: u64,
}

/// Training of the landmark network: every cursor is a sample of its own, so that none is seen twice.
#[derive(Debug)]
pub struct LandmarkTask {
    settings: LandmarkSettings,
    device: Device,
    samples: Samples,
    held_out: Samples,
}

impl LandmarkTask {
    /// A task on `device`, which is one without automatic differentiation.
    ///
    /// # Errors
    /// Those of [`CompactConfig::validate`].
    pub fn new(settings: LandmarkSettings, device: &Device) -> Result<Self> {
        settings.network.validate()?;
        let of = |[first, end]: [u64; 2], seed| Samples::new(first..end, seed, settings.network.side as u32);
        let samples = of(settings.identities, settings.seed);
        let held_out = of(settings.held_out, !settings.seed);
        Ok(Self { settings, device: device.clone(), samples, held_out })
    }

    /// The samples that are trained on.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Samples of people that are not trained on.
    pub fn held_out(&self) -> &Samples {
        &self.held_out
    }

    /// The network before the first step: it knows what is true on average.
    ///
    /// # Errors
    /// Those of rendering samples.
    pub fn networks(&self) -> Result<CompactNetwork> {
        let device = &self.device.clone().autodiff();
        let seen = self.samples.batch(0..MEAN_OF)?;
        let scores = (0..BLENDSHAPES).map(|i| seen.iter().map(|sample| sample.scores[i]).sum::<f32>() / MEAN_OF as f32);
        let scores = TensorData::new(scores.collect(), [BLENDSHAPES]);
        let points: Vec<Vec<[f32; 3]>> = seen.into_iter().filter_map(|sample| sample.points).collect();
        let heads = (0..MEAN_OF).map(|seed| {
            let person = Person::from_seed(self.settings.identities[0].wrapping_add(seed));
            person.pose(&State::default()).face([64, 64]).head_points
        });
        let tensor = |points: Vec<[f32; 3]>| {
            Tensor::from_data(TensorData::new(points.into_flattened(), [LANDMARKS, 3]), (device, DType::F32))
        };
        let (points, heads) = (tensor(mean(&points)), tensor(mean(&heads.collect::<Vec<_>>())));
        let seed = self.settings.seed;
        let network = self.settings.network.init(device)?;
        let network = fill(network, Precision::F32, |key, shape| initial_values(seed, key, shape));
        Ok(network.with_means(points, Tensor::from_data(scores, (device, DType::F32)), heads))
    }

    /// How far a network is from the truth on people that it was not trained on.
    ///
    /// # Errors
    /// Those of [`LandmarkErrors::measure`].
    pub fn errors(&self, network: &CompactNetwork, progress: Progress) -> Result<LandmarkErrors> {
        let network = network.valid();
        LandmarkErrors::measure(&network, &self.held_out, self.settings.measured, &self.device, progress)
    }
}

impl Task for LandmarkTask {
    type Networks = CompactNetwork;

    fn begin(&mut self, networks: CompactNetwork, _: &Stage, _: &BTreeSet<String>, _: bool) -> Result<CompactNetwork> {
        Ok(networks)
    }

    fn gradients(&self, networks: &CompactNetwork, cursors: Range<u64>, share: f64) -> Result<(f64, Gradients)> {
        let batch = self.samples.batch(cursors)?;
        let pieces = Pieces::for_device(&self.device, DType::F32);
        let loss = loss(networks, &batch, &self.device.clone().autodiff(), pieces.as_deref()).mul_scalar(share);
        let gradients = Pieces::gradients(pieces.as_deref(), &loss, networks);
        let value = numbers("train landmarks", loss)?[0];
        Ok((f64::from(value), gradients))
    }

    fn flops(&self, _: &CompactNetwork, examples: u64) -> u64 {
        self.settings.network.flops().saturating_mul(PASSES * examples)
    }

    /// The mean error of a point, as a share of the face.
    fn held_out_loss(&self, networks: &CompactNetwork) -> Result<Option<f64>> {
        Ok(Some(self.errors(networks, Progress::none())?.points))
    }

    fn samples(&self, _: &CompactNetwork) -> Result<Option<Shown>> {
        Ok(None)
    }

    fn save(&self, networks: &CompactNetwork, directory: &Path) -> Result<()> {
        let folder = directory.join(FOLDER);
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        save(networks, &folder, TRANSFORMERS_STEM, SHARD_BYTES)?;
        let config = serde_json::to_vec_pretty(&self.settings.network).expect("numbers are valid JSON");
        Ok(write_file(folder.join("config.json"), &config)?)
    }

    fn load(&self, directory: &Path) -> Result<CompactNetwork> {
        let network = self.settings.network.init(&self.device.clone().autodiff())?;
        let weights = Weights::open(directory.join(FOLDER), &Limits::default())?;
        Ok(weights.load(network, Precision::F32, Progress::none())?)
    }

    fn device(&self) -> &Device {
        &self.device
    }
}

fn mean(of: &[Vec<[f32; 3]>]) -> Vec<[f32; 3]> {
    let count = of.len().max(1) as f32;
    let sum = |index: usize, axis: usize| of.iter().map(|points| points[index][axis]).sum::<f32>();
    (0..LANDMARKS).map(|index| std::array::from_fn(|axis| sum(index, axis) / count)).collect()
}
