//! What a picture looks like: Inception-v3's features of 2048 numbers.

mod blocks;
mod extractor;
mod mixed;
mod network;
mod resample;

pub(crate) use extractor::features_of;
pub use extractor::{FeatureExtractor, InceptionExtractor};
pub use network::{InceptionConfig, InceptionNetwork, InceptionVariant};
pub(crate) use resample::resampled;

/// Length of the feature of a picture.
pub const FEATURES: usize = 2048;
/// Side of the picture that the network was trained on, in pixels.
pub const INPUT_SIDE: usize = 299;
