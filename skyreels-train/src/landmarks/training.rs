//! The training of the landmark network.

use std::f64::consts::PI;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{fill, initial_values};
use skyreels_core::{Precision, Progress};
use skyreels_landmarks::compact::{CompactConfig, CompactNetwork};
use skyreels_landmarks::draw::contours;
use skyreels_landmarks::flame::MEDIAPIPE_POINTS;
use skyreels_landmarks::{BLENDSHAPES, LANDMARKS};

use super::measure::face_side;
use super::samples::{Sample, Samples};
use crate::world::{Person, State};
use crate::{Error, Result};

/// Weight of the points that are drawn, relative to the others.
const DRAWN: f32 = 3.0;
/// Weight of depth relative to the places in the picture.
const DEPTH: f32 = 0.5;
/// Distance, as a share of the face, below which an error counts by its square.
const NEAR: f64 = 0.01;
/// What scores and presence count beside points.
const SCORES: f64 = 0.5;
const PRESENCE: f64 = 0.05;
/// Share of the steps in which the learning rate grows.
const WARM_UP: f64 = 0.03;
/// People from whom the mean head is taken.
const MEAN_OF: u64 = 64;

/// How the landmark network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LandmarkTraining {
    /// The network.
    pub network: CompactConfig,
    /// Seeds of the people that are shown: first and one after the last.
    pub identities: [u64; 2],
    /// Seed of the samples.
    pub seed: u64,
    /// Steps.
    pub steps: u64,
    /// Samples of a step.
    pub batch: u64,
    /// Largest learning rate of AdamW; it rises for a while and falls to 0 by a cosine.
    pub learning_rate: f64,
    /// Weight decay of AdamW.
    pub weight_decay: f64,
}

impl LandmarkTraining {
    /// The samples that it trains on.
    pub fn samples(&self) -> Samples {
        let [first, end] = self.identities;
        Samples { identities: first..end, seed: self.seed, side: self.network.side as u32 }
    }

    /// Trains from nothing; `log` is told the number of each step and its loss.
    ///
    /// # Errors
    /// [`Error::Landmarks`] for a network that cannot be built, [`Error::Device`] when the device fails, [`Error::Core`] when
    /// `progress` asks to stop.
    pub fn run(&self, device: &Device, mut log: impl FnMut(u64, f32), progress: Progress) -> Result<CompactNetwork> {
        const STAGE: &str = "train landmarks";
        let device = device.clone().autodiff();
        let samples = self.samples();
        let mut network = self.begin(&samples, &device)?;
        let mut optimizer = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(self.weight_decay as f32).init();
        for step in 0..self.steps {
            progress.report(STAGE, step, Some(self.steps))?;
            let batch = samples.batch(step * self.batch..(step + 1) * self.batch)?;
            let loss = loss(&network, &batch, &device);
            log(step, numbers(STAGE, loss.clone())?[0]);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(self.rate(step), network, gradients);
        }
        progress.report(STAGE, self.steps, Some(self.steps))?;
        Ok(network.valid())
    }

    /// The network before the first step: it knows what is true on average.
    fn begin(&self, samples: &Samples, device: &Device) -> Result<CompactNetwork> {
        let seen = samples.batch(0..MEAN_OF)?;
        let scores = (0..BLENDSHAPES).map(|i| seen.iter().map(|sample| sample.scores[i]).sum::<f32>() / MEAN_OF as f32);
        let scores = TensorData::new(scores.collect(), [BLENDSHAPES]);
        let shown: Vec<Vec<[f32; 3]>> = seen.into_iter().filter_map(|sample| sample.points).collect();
        let heads = (0..MEAN_OF).map(|seed| {
            let person = Person::from_seed(self.identities[0].wrapping_add(seed));
            person.pose(&State::default()).face([64, 64]).head_points
        });
        let (points, head) = (mean(&shown), mean(&heads.collect::<Vec<_>>()));
        let tensor = |points: Vec<[f32; 3]>| {
            Tensor::from_data(TensorData::new(points.into_flattened(), [LANDMARKS, 3]), (device, DType::F32))
        };
        let network =
            fill(self.network.init(device)?, Precision::F32, |key, shape| initial_values(self.seed, key, shape));
        Ok(network.with_means(tensor(points), Tensor::from_data(scores, (device, DType::F32)), tensor(head)))
    }

    fn rate(&self, step: u64) -> f64 {
        let done = step as f64 / self.steps.max(1) as f64;
        let rise = (done / WARM_UP).min(1.0);
        let fall = (1.0 + (PI * done).cos()) / 2.0;
        self.learning_rate * rise * fall
    }
}

/// Numbers that come back from a device.
pub(super) fn numbers<const D: usize>(stage: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Device { stage, reason: error.to_string() })
}

/// Pictures as the network reads them.
pub(super) fn pictures(batch: &[Sample], device: &Device) -> Tensor<4> {
    let side = batch.first().map_or(0, |sample| sample.picture.width() as usize);
    let planes = batch.iter().flat_map(|sample| (0..3).map(move |channel| (sample, channel)));
    let values =
        planes.flat_map(|(sample, channel)| sample.picture.pixels().map(move |p| f32::from(p[channel]) / 255.0));
    Tensor::from_data(TensorData::new(values.collect(), [batch.len(), 3, side, side]), (device, DType::F32))
}

/// Distance of points in sizes of the face (by its square where it is small), of scores, and the cross-entropy of
/// presence.
fn loss(network: &CompactNetwork, batch: &[Sample], device: &Device) -> Tensor<1> {
    let count = batch.len();
    let mut truth = Vec::with_capacity(count * LANDMARKS * 3);
    let (mut weights, mut scores, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    let importance = importance();
    let total: f32 = importance.iter().sum();
    for sample in batch {
        scores.extend(sample.scores);
        match &sample.points {
            Some(points) => {
                truth.extend(points.as_flattened());
                weights.extend(importance.iter().map(|weight| weight / (total * face_side(points))));
                shown.push(1.0);
            }
            None => {
                truth.extend([0.0; 3 * LANDMARKS]);
                weights.extend([0.0; LANDMARKS]);
                shown.push(0.0);
            }
        }
    }
    let output = network.forward(pictures(batch, device));
    let tensor = |values: Vec<f32>, shape: &[usize]| TensorData::new(values, shape.to_vec());
    let truth = Tensor::<3>::from_data(tensor(truth, &[count, LANDMARKS, 3]), (device, DType::F32));
    let weights = Tensor::<3>::from_data(tensor(weights, &[count, LANDMARKS, 1]), (device, DType::F32));
    let scores = Tensor::<2>::from_data(tensor(scores, &[count, BLENDSHAPES]), (device, DType::F32));
    let shown = Tensor::<2>::from_data(tensor(shown, &[count, 1]), (device, DType::F32));
    let axes = Tensor::<3>::from_data(tensor(vec![1.0, 1.0, DEPTH], &[1, 1, 3]), (device, DType::F32));
    let faces = shown.clone().sum().clamp_min(1.0);

    let apart = (output.points - truth).abs() * weights * axes;
    // `weights` make shares of the face, so that `NEAR` means the same for every face; the sum over points is a mean.
    let near = NEAR / f64::from(total);
    let quadratic = apart.clone().clamp_max(near);
    let points = quadratic.clone().powi_scalar(2).mul_scalar(0.5 / near) + (apart - quadratic);
    let points = points.sum() / faces.clone();
    let scores = ((output.scores - scores).powi_scalar(2) * shown.clone()).sum() / faces / BLENDSHAPES as f64;
    // `log(1 + exp(x)) - x y`, in a form that does not overflow.
    let logit = output.presence;
    let presence = (logit.clone().clamp_min(0.0) - logit.clone() * shown + (-logit.abs()).exp().log1p()).mean();
    points + scores * SCORES + presence * PRESENCE
}

/// What each point counts: those that a guide clip draws more than the others.
fn importance() -> Vec<f32> {
    let mut weights = vec![1.0; LANDMARKS];
    for index in MEDIAPIPE_POINTS.into_iter().chain(contours::RIGHT_IRIS..LANDMARKS) {
        weights[index] = DRAWN;
    }
    weights
}

fn mean(of: &[Vec<[f32; 3]>]) -> Vec<[f32; 3]> {
    let count = of.len().max(1) as f32;
    let sum = |index: usize, axis: usize| of.iter().map(|points| points[index][axis]).sum::<f32>();
    (0..LANDMARKS).map(|index| std::array::from_fn(|axis| sum(index, axis) / count)).collect()
}
