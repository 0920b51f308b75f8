//! Frame rates as exact fractions.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// Frames per second as a reduced fraction: 24000/1001 stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// Rate of the published model: 12 frames per second.
    pub const NATIVE: Self = Self { numerator: 12, denominator: 1 };

    /// `numerator / denominator` frames per second, reduced.
    ///
    /// # Errors
    /// [`Error::Invalid`] when either is zero, or the reduced fraction does not fit 32 bits.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self> {
        let refuse = || Error::invalid("frame rate", format!("{numerator}/{denominator} is not a usable rate"));
        if numerator == 0 || denominator == 0 {
            return Err(refuse());
        }
        let divisor = greatest_common_divisor(numerator, denominator);
        let numerator = u32::try_from(numerator / divisor).map_err(|_| refuse())?;
        let denominator = u32::try_from(denominator / divisor).map_err(|_| refuse())?;
        Ok(Self { numerator, denominator })
    }

    /// Frames in [`denominator`](Self::denominator) seconds.
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// Seconds that [`numerator`](Self::numerator) frames last.
    pub fn denominator(self) -> u32 {
        self.denominator
    }

    /// The nearest double.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator) / f64::from(self.denominator)
    }

    /// When frame `index` begins, in seconds.
    pub fn time_of(self, index: u64) -> f64 {
        index as f64 * f64::from(self.denominator) / f64::from(self.numerator)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl FromStr for FrameRate {
    type Err = Error;

    /// Reads `12`, `24000/1001` or `23.976`.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::invalid("frame rate", format!("`{text}` is neither 12, nor 24000/1001, nor 23.976"));
        let whole = |digits: &str| digits.trim().parse::<u64>().map_err(|_| refuse());
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self::new(whole(numerator)?, whole(denominator)?);
        }
        match text.split_once('.') {
            None => Self::new(whole(text)?, 1),
            Some((units, decimals)) if !decimals.is_empty() && decimals.len() <= 9 => {
                let scale = 10_u64.pow(decimals.len() as u32);
                let units = whole(if units.is_empty() { "0" } else { units })?;
                let numerator = units.checked_mul(scale).and_then(|n| n.checked_add(whole(decimals).ok()?));
                Self::new(numerator.ok_or_else(refuse)?, scale)
            }
            Some(_) => Err(refuse()),
        }
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_reduced_and_read_back_what_they_print() {
        let rate = FrameRate::new(48_000, 2_002).unwrap();
        assert_eq!((rate.numerator(), rate.denominator()), (24_000, 1_001));
        for text in ["12", "24000/1001", "2997/125"] {
            assert_eq!(text.parse::<FrameRate>().unwrap().to_string(), text);
        }
        assert_eq!("23.976".parse::<FrameRate>().unwrap().to_string(), "2997/125");
        for text in ["", "0", "-1", "1/0", "a", "1.", "12/", "99999999999999999999"] {
            assert!(text.parse::<FrameRate>().is_err(), "{text}");
        }
    }
}
