//! How sure a distance of sets is.

use skyreels_core::Progress;

use super::distance::{from_root, root};
use super::statistics::FeatureStatistics;
use crate::{Error, Result};

/// Groups of clips that are left out in turn: each costs a distance.
const GROUPS: usize = 10;
/// Fewer clips say nothing about others.
const LEAST_CLIPS: usize = 5;
/// Name of this operation in progress reports: distances.
const STAGE: &str = "error of a distance";

/// The standard error of the [`frechet_distance`](crate::frechet_distance) of the clips' features from those of `reference`, over
/// other clips of the same kind: the delete-a-group jackknife (Kott 2001), in which up to ten groups of whole clips are left out
/// in turn. `None` for fewer than five clips.
///
/// A bootstrap would not do: features that are drawn twice take away rank, and the distance of every resample lies far above the
/// distance itself. What is not in the error is the bias of few samples, of which
/// [`SampleWarning`](crate::SampleWarning) speaks, nor the choice of the reference.
///
/// # Errors
/// Those of [`FeatureStatistics::of`] and [`frechet_distance`](crate::frechet_distance), and a cancellation.
pub fn frechet_standard_error<R: AsRef<[f32]>>(
    clips: &[Vec<R>],
    reference: &FeatureStatistics,
    progress: Progress,
) -> Result<Option<f64>> {
    let clips: Vec<&Vec<R>> = clips.iter().filter(|clip| !clip.is_empty()).collect();
    if clips.len() < LEAST_CLIPS {
        return Ok(None);
    }
    let groups = clips.len().min(GROUPS);
    let reference_root = root(reference, 0.0)?;
    let mut distances = Vec::with_capacity(groups);
    for left_out in 0..groups {
        progress.report(STAGE, left_out as u64, Some(groups as u64))?;
        let others = clips.iter().enumerate().filter(|(clip, _)| clip % groups != left_out);
        let features: Vec<&[f32]> = others.flat_map(|(_, clip)| clip.iter().map(AsRef::as_ref)).collect();
        let statistics = FeatureStatistics::of(&features)?;
        if statistics.width() != reference.width() {
            return Err(Error::mismatch("numbers of a feature", statistics.width(), reference.width()));
        }
        distances.push(from_root(&statistics, reference, &reference_root, 0.0)?.value);
    }
    progress.report(STAGE, groups as u64, Some(groups as u64))?;
    let count = groups as f64;
    let mean = distances.iter().sum::<f64>() / count;
    let squares: f64 = distances.iter().map(|distance| (distance - mean).powi(2)).sum();
    Ok(Some(((count - 1.0) / count * squares).sqrt()))
}
