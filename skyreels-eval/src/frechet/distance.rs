//! The Fréchet distance of two normal distributions.

use faer::{Mat, Side};

use super::statistics::FeatureStatistics;
use super::warning::SampleWarning;
use crate::{Error, Result};

/// What pytorch-fid adds to both diagonals when its square root of the product fails.
pub const PYTORCH_FID_EPSILON: f64 = 1e-6;

/// A distance and what to think of it.
#[derive(Debug, Clone, PartialEq)]
pub struct FrechetDistance {
    /// `mean_term + covariance_term`, never below 0.
    pub value: f64,
    /// Squared distance of the means.
    pub mean_term: f64,
    /// What the covariances add.
    pub covariance_term: f64,
    /// Features in each set.
    pub samples: [usize; 2],
    /// What is to be said about so few features; `None` when there are enough.
    pub warning: Option<SampleWarning>,
}

/// The squared Fréchet distance of the normal distributions with the statistics of two sets,
/// `|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))`: with Inception's features the FID of Heusel et al. (2017).
///
/// The trace of the root is the sum of the singular values of `R_a^T R_b` with `R R^T = S`, so that no root of a matrix that is
/// not symmetric is taken: sets with fewer features than numbers, constant features and equal sets give the exact value, where
/// a Schur method gives one that depends on its version.
///
/// # Errors
/// [`Error::Mismatch`] for features of different lengths; [`Error::NotFinite`] when the eigenvalues cannot be found.
pub fn frechet_distance(a: &FeatureStatistics, b: &FeatureStatistics) -> Result<FrechetDistance> {
    let distance = frechet_distance_with_epsilon(a, b, 0.0)?;
    Ok(FrechetDistance { value: distance.value.max(0.0), ..distance })
}

/// The same with `epsilon` added to both diagonals under the root only: pytorch-fid's way out of singular products. Below 0 for
/// equal sets.
///
/// # Errors
/// As [`frechet_distance`].
pub fn frechet_distance_with_epsilon(
    a: &FeatureStatistics,
    b: &FeatureStatistics,
    epsilon: f64,
) -> Result<FrechetDistance> {
    if a.width() != b.width() {
        return Err(Error::mismatch("numbers of a feature", a.width(), b.width()));
    }
    from_root(a, b, &root(b, epsilon)?, epsilon)
}

/// The distance from a set whose root is known.
pub(super) fn from_root(
    a: &FeatureStatistics,
    b: &FeatureStatistics,
    b_root: &Mat<f64>,
    epsilon: f64,
) -> Result<FrechetDistance> {
    let mean_term: f64 = a.mean().iter().zip(b.mean()).map(|(a, b)| (a - b).powi(2)).sum();
    let covariance_term = a.trace() + b.trace() - 2.0 * trace_of_root(&root(a, epsilon)?, b_root)?;
    let samples = [a.count(), b.count()];
    let value = mean_term + covariance_term;
    if !value.is_finite() {
        return Err(Error::not_finite("Fréchet distance", "the result"));
    }
    let warning = SampleWarning::of(samples, a.width());
    Ok(FrechetDistance { value, mean_term, covariance_term, samples, warning })
}

/// The trace of the root of `S_a S_b`: the sum of the singular values of `R_a^T R_b`.
///
/// Products of covariances are never formed: where their eigenvalues have lost all digits, the singular values have half of
/// them left.
fn trace_of_root(a: &Mat<f64>, b: &Mat<f64>) -> Result<f64> {
    if a.ncols() == 0 || b.ncols() == 0 {
        return Ok(0.0);
    }
    let values = (a.transpose() * b).singular_values();
    let values = values.map_err(|_| Error::not_finite("Fréchet distance", "a singular value of the roots' product"))?;
    Ok(values.iter().sum())
}

/// A matrix `R` with `R R^T = S + epsilon`: the features where they are few, else the symmetric root, turned, with as many
/// columns as it has rank.
pub(super) fn root(statistics: &FeatureStatistics, epsilon: f64) -> Result<Mat<f64>> {
    if let (Some(factor), true) = (statistics.factor(), epsilon == 0.0) {
        return Ok(factor.clone());
    }
    let eigen = statistics.matrix().self_adjoint_eigen(Side::Lower);
    let eigen = eigen.map_err(|_| Error::not_finite("Fréchet distance", "an eigenvalue of a covariance"))?;
    // In ascending order. The mean takes one of the features' degrees of freedom; what lies beyond the rank, and below the
    // rounding of the largest, is noise, of which a root would make 1e-8 each.
    let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
    let largest = values.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let floor = largest * f64::EPSILON * values.len() as f64;
    let beyond_rank = values.len().saturating_sub(statistics.count() - 1);
    let lifted = |(index, value): (usize, &f64)| {
        let value = if index < beyond_rank || *value <= floor { 0.0 } else { *value };
        (index, (value + epsilon).sqrt())
    };
    let kept: Vec<(usize, f64)> = values.iter().enumerate().map(lifted).filter(|(_, root)| *root > 0.0).collect();
    let vectors = eigen.U();
    Ok(Mat::from_fn(values.len(), kept.len(), |row, column| {
        let (index, root) = kept[column];
        vectors[(row, index)] * root
    }))
}
