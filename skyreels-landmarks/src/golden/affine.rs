//! Pupil maps and the points that support them.

use skyreels_core::golden::{Golden, Report, Tolerance};

use super::draw::{points, single};
use crate::Result;
use crate::draw::estimate_affine;

/// OpenCV's last refinement, a damped least squares, leaves this much of freedom.
const TOLERANCE: Tolerance = Tolerance::Relative(1e-7);

/// Compares the map of one case; a case that has none is left out, and fails as not computed.
pub(super) fn run(file: &Golden, case: &str, report: &mut Report) -> Result<()> {
    let side =
        |end: &str| -> Result<Vec<[f32; 2]>> { Ok(single(&points(&file.input(&format!("affine_{case}_{end}"))?))) };
    let Some((map, inliers)) = estimate_affine(&side("src")?, &side("dst")?) else { return Ok(()) };
    let support: Vec<f64> = inliers.iter().map(|inlier| f64::from(u8::from(*inlier))).collect();
    let name = format!("affine_{case}");
    report.compare_values(file, &name, &[2, 3], map.as_flattened(), TOLERANCE)?;
    report.compare_values(file, &format!("{name}_inliers"), &[support.len()], &support, Tolerance::Exact)?;
    Ok(())
}
