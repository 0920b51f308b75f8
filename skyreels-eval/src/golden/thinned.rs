//! Intermediates of which a file stores only a part.

use burn::tensor::Tensor;
use skyreels_core::golden::{Golden, Report};

use crate::Result;

/// Compares what is stored as `NAME_cN_sM`, every Nth channel of every Mth row and column of the first pictures, or as
/// `NAME` whole.
pub(super) fn compare(file: &Golden, report: &mut Report, name: &str, level: &Tensor<4>) -> Result<()> {
    for stored in file.outputs() {
        let Some((channels, pixels)) = steps(&stored, name) else { continue };
        let Some(expected) = file.expected(&stored)? else { continue };
        let pictures = expected.values.shape.first().copied().unwrap_or(1).clamp(1, level.dims()[0]);
        let thinned = [(1, channels), (2, pixels), (3, pixels)]
            .into_iter()
            .fold(level.clone().narrow(0, 0, pictures), |level, (axis, step)| every(level, axis, step));
        report.compare(file, &stored, thinned)?;
    }
    Ok(())
}

fn steps(stored: &str, name: &str) -> Option<(usize, usize)> {
    let rest = stored.strip_prefix(name)?;
    if rest.is_empty() {
        return Some((1, 1));
    }
    let (channels, pixels) = rest.strip_prefix("_c")?.split_once("_s")?;
    Some((channels.parse().ok()?, pixels.parse().ok()?))
}

/// Every `step`th slice along an axis.
pub(super) fn every(tensor: Tensor<4>, axis: usize, step: usize) -> Tensor<4> {
    let size = tensor.dims()[axis];
    let slices = (0..size).step_by(step.max(1)).map(|at| tensor.clone().narrow(axis, at, 1));
    Tensor::cat(slices.collect(), axis)
}
