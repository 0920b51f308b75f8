//! How far the network is from the truth.

use burn::tensor::{Device, Tensor};
use skyreels_core::Progress;
use skyreels_landmarks::compact::CompactNetwork;

use super::loss::pictures;
use super::samples::{Sample, Samples};
use crate::{Error, Result};

/// Pictures that are looked at together.
const BATCH: u64 = 32;

/// Errors over samples, those with a face unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LandmarkErrors {
    /// Mean distance of a point from the truth, as a share of the larger side of the face's box.
    pub points: f64,
    /// Mean error of an expression score.
    pub scores: f64,
    /// Share of the samples with a face in which one is found.
    pub found: f64,
    /// Share of the samples without a face in which one is found.
    pub imagined: f64,
}

impl LandmarkErrors {
    /// Looks at the first `count` samples.
    ///
    /// # Errors
    /// [`Error::Inference`](crate::Error::Inference) when the device fails, [`Error::Core`](crate::Error::Core) when `progress` asks to stop.
    pub fn measure(
        network: &CompactNetwork,
        samples: &Samples,
        count: u64,
        device: &Device,
        progress: Progress,
    ) -> Result<Self> {
        const STAGE: &str = "measure landmarks";
        let (mut points, mut scores, mut with, mut without) = (0.0, 0.0, [0.0, 0.0], [0.0, 0.0]);
        for start in (0..count).step_by(BATCH as usize) {
            let batch = samples.batch(start..count.min(start + BATCH))?;
            let output = network.forward(pictures(&batch, device));
            let found_points = numbers(STAGE, output.points)?;
            let found_scores = numbers(STAGE, output.scores)?;
            let logits = numbers(STAGE, output.presence)?;
            for (index, sample) in batch.iter().enumerate() {
                let found = f64::from(u8::from(logits[index] > 0.0));
                let Some(truth) = &sample.points else {
                    without = [without[0] + found, without[1] + 1.0];
                    continue;
                };
                with = [with[0] + found, with[1] + 1.0];
                points += mean_distance(&found_points[index * truth.len() * 3..], truth);
                let given = &found_scores[index * sample.scores.len()..];
                scores += mean_difference(given, sample);
            }
            progress.report(STAGE, start, Some(count))?;
        }
        Ok(Self {
            points: points / f64::max(with[1], 1.0),
            scores: scores / f64::max(with[1], 1.0),
            found: with[0] / f64::max(with[1], 1.0),
            imagined: without[0] / f64::max(without[1], 1.0),
        })
    }
}

/// Mean distance in the picture, as a share of the larger side of the true points' box.
fn mean_distance(found: &[f32], truth: &[[f32; 3]]) -> f64 {
    let side = face_side(truth);
    let distances = truth.iter().zip(found.chunks_exact(3)).map(|(a, b)| f64::from((a[0] - b[0]).hypot(a[1] - b[1])));
    distances.sum::<f64>() / truth.len() as f64 / f64::from(side)
}

fn mean_difference(found: &[f32], sample: &Sample) -> f64 {
    let differences = sample.scores.iter().zip(found).map(|(a, b)| f64::from((a - b).abs()));
    differences.sum::<f64>() / sample.scores.len() as f64
}

/// The larger side of the box around points.
pub(super) fn face_side(points: &[[f32; 3]]) -> f32 {
    let extent = |axis: usize| {
        let values = points.iter().map(|point| point[axis]);
        values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
    };
    extent(0).max(extent(1))
}

/// Numbers that come back from a device.
pub(super) fn numbers<const D: usize>(what: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Inference { what, reason: error.to_string() })
}
