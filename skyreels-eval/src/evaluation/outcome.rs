//! What an evaluation says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::Interval;
use crate::analysis::{Thumbnail, Work};
use crate::frechet::SampleWarning;

/// An evaluation: `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Frames per second of the comparison.
    pub rate: f64,
    /// Each number over all pairs that have it.
    pub summary: BTreeMap<String, Summary>,
    /// Distances of whole sets of frames or stretches.
    pub sets: Vec<SetDistance>,
    /// Every pair that was measured, in the order of the list.
    pub pairs: Vec<PairScores>,
    /// Pairs that could not be measured at all.
    pub failures: Vec<Failure>,
    /// What it has cost.
    pub work: Work,
}

/// A number over pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean over the pairs that have it.
    pub mean: f64,
    /// Interval of the mean with 95 % confidence, by bootstrap over pairs, as if each pair were drawn by itself; `None` for a
    /// single one, which says nothing about others.
    pub interval: Option<Interval>,
    /// Median over the pairs that have it.
    pub median: f64,
    /// Pairs that have it.
    pub pairs: usize,
    /// Pairs that could have it, those that could not be measured at all among them.
    pub of: usize,
}

/// A distance of the results' features from the references'.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetDistance {
    /// Name of the features: `fid` with Inception's.
    pub name: String,
    /// What the results are compared with.
    pub reference: String,
    /// The distance; `None` where it could not be measured.
    pub value: Option<f64>,
    /// Standard error of the distance over the results' clips, see
    /// [`frechet_standard_error`](crate::frechet_standard_error); `None` for few clips.
    pub standard_error: Option<f64>,
    /// Features of the results and of the references.
    pub samples: [usize; 2],
    /// What is to be said about so few.
    pub warning: Option<SampleWarning>,
    /// Why there is no distance.
    pub missing: Option<String>,
}

/// What was measured on a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairScores {
    /// Its name.
    pub name: String,
    /// Whether the driver is the true result.
    pub truth: bool,
    /// Frames of the result and of the driver at the common rate.
    pub frames: [usize; 2],
    /// Its numbers.
    pub values: BTreeMap<String, f64>,
    /// Those of them that were measured frame by frame.
    pub series: BTreeMap<String, Vec<Option<f64>>>,
    /// Numbers that could not be measured, and why.
    pub missing: BTreeMap<String, String>,
    /// Small pictures for the page.
    #[serde(skip)]
    pub thumbnails: Thumbnails,
}

/// Small pictures of a pair's files, in the order of their frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thumbnails {
    /// The portrait's, where there is one.
    pub portrait: Option<Thumbnail>,
    /// The result's.
    pub result: Vec<Thumbnail>,
    /// The driver's.
    pub driving: Vec<Thumbnail>,
}

/// A pair that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}
