//! How far two sets of features are from each other.

mod distance;
mod jackknife;
mod statistics;
mod warning;

pub use distance::{FrechetDistance, PYTORCH_FID_EPSILON, frechet_distance, frechet_distance_with_epsilon};
pub use jackknife::frechet_standard_error;
pub use statistics::FeatureStatistics;
pub use warning::{RECOMMENDED_SAMPLES, SampleWarning};
