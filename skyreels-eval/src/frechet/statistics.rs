//! Mean and covariance of a set of features.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::{Accum, Mat, get_global_parallelism};

use crate::{Error, Result};

/// Features that are multiplied at once: the copy in double precision stays small beside the covariance.
const ROWS: usize = 1024;

/// Mean and covariance of a set of features in double precision.
#[derive(Debug, Clone)]
pub struct FeatureStatistics {
    count: usize,
    mean: Vec<f64>,
    covariance: Mat<f64>,
    factor: Option<Mat<f64>>,
}

impl FeatureStatistics {
    /// The statistics of features of equal length: means over the set, covariances over `count - 1` as `numpy.cov` has them.
    ///
    /// The order of the features changes nothing but the last bits.
    ///
    /// # Errors
    /// [`Error::Empty`] for fewer than two features, which have no covariance, or features without a number;
    /// [`Error::Mismatch`] for features of different lengths; [`Error::NotFinite`] names the feature with such a number.
    pub fn of<R: AsRef<[f32]>>(features: &[R]) -> Result<Self> {
        let width = features.first().map_or(0, |row| row.as_ref().len());
        if features.len() < 2 || width == 0 {
            let what = format!("a set of {} features of {width} numbers", features.len());
            return Err(Error::empty(what, "a covariance needs at least two features, and statistics many more"));
        }
        for (index, row) in features.iter().map(AsRef::as_ref).enumerate() {
            if row.len() != width {
                return Err(Error::mismatch(format!("features 0 and {index}"), width, row.len()));
            }
            if let Some(column) = row.iter().position(|value| !value.is_finite()) {
                return Err(Error::not_finite("set of features", format!("number {column} of feature {index}")));
            }
        }
        let mean = mean(features, width);
        let mut lower = Mat::zeros(width, width);
        for rows in features.chunks(ROWS) {
            let centred =
                Mat::from_fn(rows.len(), width, |row, column| f64::from(rows[row].as_ref()[column]) - mean[column]);
            let (full, half) = (BlockStructure::Rectangular, BlockStructure::TriangularLower);
            let parallel = get_global_parallelism();
            matmul(&mut lower, half, Accum::Add, centred.transpose(), full, &centred, full, 1.0, parallel);
        }
        let divisor = (features.len() - 1) as f64;
        let covariance = Mat::from_fn(width, width, |row, column| lower[(row.max(column), row.min(column))] / divisor);
        let root = divisor.sqrt();
        let factor = (features.len() <= width).then(|| {
            let centred = |row: usize, column: usize| f64::from(features[column].as_ref()[row]) - mean[row];
            Mat::from_fn(width, features.len(), |row, column| centred(row, column) / root)
        });
        Ok(Self { count: features.len(), mean, covariance, factor })
    }

    /// Features in the set.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers of a feature.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The mean feature, `[width]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The covariance, row-major, `[width, width]`.
    pub fn covariance(&self) -> Vec<f64> {
        let width = self.width();
        (0..width * width).map(|i| self.covariance[(i / width, i % width)]).collect()
    }

    pub(super) fn matrix(&self) -> &Mat<f64> {
        &self.covariance
    }

    /// A matrix `F` with `F F^T` the covariance, where the features themselves are one and smaller than any other: `[width, count]`
    /// of no more features than numbers.
    pub(super) fn factor(&self) -> Option<&Mat<f64>> {
        self.factor.as_ref()
    }

    /// The sum of the variances.
    pub(super) fn trace(&self) -> f64 {
        (0..self.width()).map(|i| self.covariance[(i, i)]).sum()
    }
}

fn mean<R: AsRef<[f32]>>(features: &[R], width: usize) -> Vec<f64> {
    let mut sum = vec![0.0; width];
    for row in features {
        sum.iter_mut().zip(row.as_ref()).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sum.iter().map(|sum| sum / features.len() as f64).collect()
}
