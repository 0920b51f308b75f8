//! What to say when a set is too small for its statistics.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Features from which on a FID of 2048 numbers is reported in the literature; Heusel et al. ask for at least as many.
pub const RECOMMENDED_SAMPLES: usize = 10_000;

/// A set that is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleWarning {
    /// Fewer features than numbers of a feature: the covariance has not full rank, and the distance is far too large.
    RankDeficient {
        /// Features in each set.
        samples: [usize; 2],
        /// Numbers of a feature.
        width: usize,
    },
    /// Fewer features than [`RECOMMENDED_SAMPLES`]: the distance is too large, and can only be compared with others over as
    /// many features.
    Few {
        /// Features in each set.
        samples: [usize; 2],
    },
}

impl SampleWarning {
    /// What is to be said about sets of so many features.
    pub fn of(samples: [usize; 2], width: usize) -> Option<Self> {
        let smaller = samples[0].min(samples[1]);
        if smaller <= width {
            Some(Self::RankDeficient { samples, width })
        } else if smaller < RECOMMENDED_SAMPLES {
            Some(Self::Few { samples })
        } else {
            None
        }
    }
}

impl fmt::Display for SampleWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RankDeficient { samples: [a, b], width } => write!(
                f,
                "{a} and {b} samples for features of {width} numbers: the covariance has not full rank, the distance is biased \
                 upwards and only comparable with others over as many samples; use more than {RECOMMENDED_SAMPLES}"
            ),
            Self::Few { samples: [a, b] } => write!(
                f,
                "{a} and {b} samples: below {RECOMMENDED_SAMPLES} the distance is biased upwards and only comparable with \
                 others over as many samples"
            ),
        }
    }
}
