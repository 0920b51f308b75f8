//! Distances of sets of features, in every form that the file names.

use std::collections::BTreeMap;

use skyreels_core::golden::{Golden, Report, Tolerance, Values};

use crate::compat::a1_calculate_fid;
use crate::embed::cosine;
use crate::frechet::{FeatureStatistics, PYTORCH_FID_EPSILON, frechet_distance, frechet_distance_with_epsilon};
use crate::{Error, Result};

/// Share of the size of its terms by which a distance may differ from the exact one: the rounding of covariances without full rank,
/// seen through a root, which an exact root takes for real. With full rank the difference is below 1e-14.
const EXACT: f64 = 1e-8;
/// The same for answers that went through a general square root, which is good to half the digits where the product is
/// singular.
const SCHUR: f64 = 1e-7;
/// Means and covariances are sums in another order.
const SUMS: Tolerance = Tolerance::Relative(1e-12);

struct Set {
    rows: Vec<Vec<f32>>,
    statistics: FeatureStatistics,
}

/// Every set `features_NAME`; answers `NAME.mu`, `NAME.sigma`, `A.B.FORM` and `a1_cosine.A.B`.
pub(super) fn run(file: &Golden) -> Result<Report> {
    let mut sets = BTreeMap::new();
    for input in file.inputs() {
        if let Some(name) = input.strip_prefix("features_") {
            let rows = rows(file.input(&input)?)?;
            let statistics = FeatureStatistics::of(&rows)?;
            sets.insert(name.to_string(), Set { rows, statistics });
        }
    }
    let mut report = Report::new(file);
    for name in file.outputs() {
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            [set, "mu"] => {
                let Some(set) = sets.get(set) else { continue };
                let mean = set.statistics.mean();
                report.compare_values(file, &name, &[mean.len()], mean, SUMS)?;
            }
            [set, "sigma"] => {
                let Some(set) = sets.get(set) else { continue };
                let width = set.statistics.width();
                report.compare_values(file, &name, &[width, width], &set.statistics.covariance(), SUMS)?;
            }
            ["a1_cosine", a, b] => {
                let (Some(a), Some(b)) = (sets.get(a), sets.get(b)) else { continue };
                let cosines = a.rows.iter().zip(&b.rows).map(|(a, b)| cosine(a, b));
                let cosines = cosines.collect::<Result<Vec<f64>>>()?;
                report.compare_values(file, &name, &[cosines.len()], &cosines, Tolerance::Reference)?;
            }
            [a, b, form] => {
                let (Some(a), Some(b)) = (sets.get(a), sets.get(b)) else { continue };
                distance(file, &mut report, &name, form, [&a.statistics, &b.statistics])?;
            }
            _ => {}
        }
    }
    Ok(report.finish(file))
}

/// One form of one distance; an unknown form is left out, and fails as not computed.
fn distance(file: &Golden, report: &mut Report, name: &str, form: &str, [a, b]: [&FeatureStatistics; 2]) -> Result<()> {
    let (ours, share) = match form {
        "exact" => (frechet_distance(a, b)?.value, EXACT),
        "exact_eps" => (frechet_distance_with_epsilon(a, b, PYTORCH_FID_EPSILON)?.value, EXACT),
        "pytorch_fid" => (frechet_distance(a, b)?.value, SCHUR),
        "pytorch_fid_eps_forced" => (frechet_distance_with_epsilon(a, b, PYTORCH_FID_EPSILON)?.value, SCHUR),
        "a1_fid" => (a1_calculate_fid(a, b)?, SCHUR),
        _ => return Ok(()),
    };
    // A distance is a small difference of large terms, 0 for equal sets: what counts is the size of the terms.
    let means: f64 = a.mean().iter().zip(b.mean()).map(|(a, b)| (a - b).powi(2)).sum();
    let size = means + variance(a) + variance(b) + 2.0 * a.width() as f64 * PYTORCH_FID_EPSILON;
    let expected = file.expected(name)?.and_then(|expected| expected.values.data.first().copied()).unwrap_or(0.0);
    let scale = if expected == 0.0 { 1.0 } else { expected.abs() };
    let allowed = share * size / scale;
    report.compare_values(file, name, &[1], &[ours], Tolerance::Relative(allowed))?;
    Ok(())
}

fn variance(statistics: &FeatureStatistics) -> f64 {
    statistics.covariance().iter().step_by(statistics.width() + 1).sum()
}

fn rows(values: Values) -> Result<Vec<Vec<f32>>> {
    let [_, width] = values.shape[..] else {
        return Err(Error::invalid("golden file", format!("a set of features of shape {:?}", values.shape)));
    };
    Ok(values.data.chunks(width.max(1)).map(|row| row.iter().map(|value| *value as f32).collect()).collect())
}
