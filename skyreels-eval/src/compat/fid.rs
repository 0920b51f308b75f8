//! `calculate_fid` of `arc_score.py`.

use faer::{Mat, Side};

use crate::frechet::FeatureStatistics;
use crate::{Error, Result};

/// The script's distance of two sets of features.
///
/// It asks a solver for symmetric matrices for the eigenvalues of the product of the covariances, which is not symmetric: the
/// solver reads the lower triangle alone. Where the exact distance of two sets is 22.89, this is 9.72; see
/// [`frechet_distance`](crate::frechet_distance).
///
/// # Errors
/// [`Error::Mismatch`] for features of different lengths; [`Error::NotFinite`] when the eigenvalues cannot be found.
pub fn a1_calculate_fid(a: &FeatureStatistics, b: &FeatureStatistics) -> Result<f64> {
    if a.width() != b.width() {
        return Err(Error::mismatch("numbers of a feature", a.width(), b.width()));
    }
    let width = a.width();
    let matrix = |statistics: &FeatureStatistics| {
        let values = statistics.covariance();
        Mat::from_fn(width, width, |row, column| values[row * width + column])
    };
    let (first, second) = (matrix(a), matrix(b));
    let product = &first * &second;
    let values = product.self_adjoint_eigenvalues(Side::Lower);
    let values = values.map_err(|_| Error::not_finite("a1 FID", "an eigenvalue of the product"))?;
    let root: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
    let trace: f64 = (0..width).map(|i| first[(i, i)] + second[(i, i)]).sum();
    let means: f64 = a.mean().iter().zip(b.mean()).map(|(a, b)| (a - b).powi(2)).sum();
    Ok(means + trace - 2.0 * root)
}

/// What the script calls the FID of a video: the mean over frames of the squared distance of two features, the face of the
/// frame's and the reference's.
///
/// The script compares two "sets", each one picture doubled; their covariances are zero, and what is left of the distance
/// is that of two points. `None` when no frame shows a face.
///
/// # Errors
/// [`Error::Mismatch`] for features of different lengths.
pub fn a1_frame_fid<R: AsRef<[f32]>>(reference: &[f32], frames: &[R]) -> Result<Option<f64>> {
    let mut sum = 0.0;
    for frame in frames.iter().map(AsRef::as_ref) {
        if frame.len() != reference.len() {
            return Err(Error::mismatch("numbers of a feature", reference.len(), frame.len()));
        }
        sum += reference.iter().zip(frame).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>();
    }
    Ok((!frames.is_empty()).then(|| sum / frames.len() as f64))
}
