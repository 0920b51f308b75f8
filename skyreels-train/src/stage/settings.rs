//! What a stage trains, and how.

use serde::{Deserialize, Serialize};
use skyreels_core::diffusion::Prediction;

use super::begin::Begin;
use crate::diffusion::{Dropout, Recompute, Timesteps};
use crate::loss::{FaceAware, Reading};
use crate::optimise::{AdamWSettings, LearningRate, LoraSettings, MuonSettings, Patterns};
use crate::{Error, Result};

/// One stage of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name, for logs.
    pub name: String,
    /// Which parameters it trains; none are needed beside a LoRA.
    #[serde(default)]
    pub parameters: Patterns,
    /// Matrices that learn through narrow factors, while they themselves stay frozen.
    #[serde(default)]
    pub lora: Option<LoraSettings>,
    /// Optimiser steps.
    pub steps: u64,
    /// Examples of a step.
    pub batch: u64,
    /// Parts in which the batch of a step is computed one after the other: less memory, the same result.
    #[serde(default = "one")]
    pub accumulate: u64,
    /// Learning rate.
    pub learning_rate: LearningRate,
    /// The optimiser.
    #[serde(default)]
    pub optimizer: AdamWSettings,
    /// Matrices that learn by Muon, with the optimiser's weight decay.
    #[serde(default)]
    pub muon: Option<MuonSettings>,
    /// Largest norm of all gradients together; none clips nothing.
    #[serde(default)]
    pub clip_norm: Option<f64>,
    /// Decay of an average of the trained parameters, which is then what checkpoints hold for inference.
    #[serde(default)]
    pub average: Option<f64>,
    /// The loss.
    #[serde(default)]
    pub loss: LossSettings,
    /// How often conditions are left out.
    #[serde(default)]
    pub dropout: Dropout,
    /// How much noise examples are shown with; held-out ones always uniformly.
    #[serde(default)]
    pub timesteps: Timesteps,
    /// What is set anew before the first step.
    #[serde(default)]
    pub begin: Begin,
    /// What is computed twice to save memory.
    #[serde(default)]
    pub recompute: Recompute,
}

fn one() -> u64 {
    1
}

/// The loss of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossSettings {
    /// On what errors are measured.
    pub measured_on: MeasuredOn,
    /// Whether errors count for more where something moves, and how eq. 7 of the paper is read.
    pub face_aware: Option<Reading>,
    /// How much errors of a latent channel count by what they change in the picture, 0 to 1: not at all, as in the paper, or wholly, so
    /// that the loss is about the error of the pixels. Two examples are decoded once for each channel to find out.
    pub picture: f64,
}

/// On what errors are measured; see [`Objective`](crate::loss::Objective).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredOn {
    /// Velocity.
    #[default]
    Velocity,
    /// Noise, as the paper writes.
    Noise,
    /// The clean sample.
    Sample,
}

impl From<MeasuredOn> for Prediction {
    fn from(measured: MeasuredOn) -> Self {
        match measured {
            MeasuredOn::Velocity => Self::Velocity,
            MeasuredOn::Noise => Self::Epsilon,
            MeasuredOn::Sample => Self::Sample,
        }
    }
}

impl LossSettings {
    /// Weights from flow, where the loss has any.
    pub fn weights(&self) -> Option<FaceAware> {
        self.face_aware.map(|reading| FaceAware { reading, ..FaceAware::default() })
    }
}

impl Stage {
    /// A stage with the defaults of everything that has one.
    pub fn new(name: &str, train: &[&str], steps: u64, batch: u64, learning_rate: LearningRate) -> Self {
        let train = train.iter().map(|pattern| (*pattern).to_string()).collect();
        Self {
            name: name.to_string(),
            parameters: Patterns { train, freeze: vec![POSITIONS.into()] },
            lora: None,
            steps,
            batch,
            accumulate: 1,
            learning_rate,
            optimizer: AdamWSettings::default(),
            muon: None,
            clip_norm: None,
            average: None,
            loss: LossSettings::default(),
            dropout: Dropout::default(),
            timesteps: Timesteps::default(),
            begin: Begin::default(),
            recompute: Recompute::default(),
        }
    }

    /// Checks that the numbers make a stage.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        let Self { name, batch, accumulate, dropout, learning_rate, .. } = self;
        let wrong = |reason: String| Err(Error::invalid("stage", format!("`{name}`: {reason}")));
        if *batch == 0 || *accumulate == 0 || batch % accumulate != 0 {
            return wrong(format!("a batch of {batch} examples cannot be computed in {accumulate} equal parts"));
        }
        if !(0.0..=1.0).contains(&self.loss.picture) {
            return wrong(format!("loss.picture is {}, not in 0..=1", self.loss.picture));
        }
        if !(learning_rate.peak.is_finite() && learning_rate.peak >= 0.0) {
            return wrong(format!("learning_rate.peak is {}; it must be a number from 0", learning_rate.peak));
        }
        for (field, share) in [("image", dropout.image), ("guide", dropout.guide), ("identity", dropout.identity)] {
            if !(0.0..=1.0).contains(&share) {
                return wrong(format!("dropout.{field} is {share}; it is a share between 0 and 1"));
            }
        }
        if self.clip_norm.is_some_and(|norm| norm.is_nan() || norm <= 0.0) {
            return wrong("clip_norm must be above 0".into());
        }
        if self.average.is_some_and(|decay| !(0.0..1.0).contains(&decay)) {
            return wrong("average is a decay from 0 and below 1".into());
        }
        self.timesteps.validate()?;
        self.begin.validate()?;
        self.lora.as_ref().map_or(Ok(()), LoraSettings::validate)
    }
}

/// A buffer of the original, which no stage trains.
const POSITIONS: &str = "transformer.patch_embed.pos_embedding";
/// The convolution that turns latents into tokens.
const PATCH: &str = "transformer.patch_embed.proj.*";
/// The face projector.
const PROJECTOR: &str = "transformer.patch_embed.pose_proj.*";

/// The three stages of the paper (section 4.1 and its implementation details): steps, learning rates and batch are its own;
/// dropout, warm-up, clipping and the optimiser's settings are not given there.
///
/// The patch convolution is widened before the first stage and the projector begins with a last layer of zeros.
/// Every condition is left out for one example in ten, so that guidance has its unconditional pass.
pub fn paper_stages() -> Vec<Stage> {
    const BATCH: u64 = 512;
    const DROPPED: f64 = 0.1;
    let face_aware = LossSettings { face_aware: Some(Reading::Rescaled), ..LossSettings::default() };
    let stage = |name: &str, train: &[&str], steps, rate| Stage {
        accumulate: BATCH,
        clip_norm: Some(1.0),
        dropout: Dropout { identity: DROPPED, ..Dropout::default() },
        loss: face_aware,
        ..Stage::new(name, train, steps, BATCH, LearningRate::constant(rate))
    };
    vec![
        stage("motion-driven", &[PATCH], 2000, 1e-5),
        stage("identity-preserving", &[PROJECTOR], 2000, 1e-5),
        stage("joint", &["pose_guider.encoder.*", "transformer.*"], 1000, 1e-6),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_of_the_paper_are_valid_and_come_back_from_json() {
        let stages = paper_stages();
        assert_eq!(stages.iter().map(|stage| stage.steps).collect::<Vec<_>>(), [2000, 2000, 1000]);
        for stage in stages {
            stage.validate().unwrap();
            let text = serde_json::to_string(&stage).unwrap();
            assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
        }
    }

    #[test]
    fn numbers_that_make_no_stage_are_named() {
        let good = Stage::new("x", &["*"], 1, 4, LearningRate::constant(1e-3));
        good.validate().unwrap();
        let says = |stage: Stage, part: &str| {
            let error = stage.validate().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        says(Stage { accumulate: 3, ..good.clone() }, "3 equal parts");
        says(Stage { clip_norm: Some(0.0), ..good.clone() }, "clip_norm");
        says(Stage { average: Some(1.0), ..good.clone() }, "average");
        let timesteps = Timesteps::LogitNormal { mean: f64::NAN, deviation: 1.0 };
        says(Stage { timesteps, ..good.clone() }, "mean NaN");
        says(Stage { dropout: Dropout { guide: 1.5, ..Dropout::default() }, ..good.clone() }, "dropout.guide");
        says(Stage { learning_rate: LearningRate::constant(f64::NAN), ..good }, "learning_rate.peak");
    }
}
