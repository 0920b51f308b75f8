//! How sure a mean over clips is.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Share of the resampled means that lies in the interval.
const CONFIDENCE: f64 = 0.95;

/// An interval that holds the mean with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The percentile bootstrap of a mean (Efron 1979): `resamples` means of as many values drawn with replacement, by a seed.
///
/// Values are sorted first, so that their order means nothing.
///
/// # Errors
/// [`Error::Empty`] without values or resamples, [`Error::NotFinite`] for values that are no numbers.
pub fn bootstrap_mean(values: &[f64], resamples: usize, seed: u64) -> Result<Interval> {
    if values.is_empty() || resamples == 0 {
        let what = format!("interval of {} values by {resamples} resamples", values.len());
        return Err(Error::empty(what, "at least one of each is needed"));
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(Error::not_finite("interval of a mean", format!("value {index}")));
    }
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let count = values.len() as u128;
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let draw = |_| values[((u128::from(random.next_u64()) * count) >> 64) as usize];
            (0..values.len()).map(draw).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (means.len() - 1) as f64;
        let (below, above) = (means[place.floor() as usize], means[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Ok(Interval { low: at((1.0 - CONFIDENCE) / 2.0), high: at((1.0 + CONFIDENCE) / 2.0) })
}
