//! One number for how good an encoded video is.

use crate::{Error, Result};

/// How good an encoded video is, from 0 (smallest file) to 100 (next to lossless).
///
/// It sets a constant quantizer: 0 is 44, the default of 70 is 22 (about what `x264 -crf 20` looks like), 100 is 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quality(u8);

/// Quantizer (H.264 QP) at quality 0, and how far 100 lies below it.
const WORST_QUANTIZER: u32 = 44;
const QUANTIZER_SPAN: u32 = 32;

impl Quality {
    /// The quality `percent`.
    ///
    /// # Errors
    /// [`Error::Invalid`] above 100.
    pub fn new(percent: u8) -> Result<Self> {
        match percent {
            0..=100 => Ok(Self(percent)),
            _ => Err(Error::invalid("quality", format!("{percent} is above 100, the best"))),
        }
    }

    /// From 0 to 100.
    pub fn percent(self) -> u8 {
        self.0
    }

    /// Quantizer of H.264.
    pub(super) fn quantizer(self) -> u8 {
        (WORST_QUANTIZER - (u32::from(self.0) * QUANTIZER_SPAN + 50) / 100) as u8
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self(70)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_maps_onto_quantizers_in_order() {
        let quantizer = |percent| Quality::new(percent).unwrap().quantizer();
        assert_eq!((quantizer(0), quantizer(70), quantizer(100)), (44, 22, 12));
        assert!((0..100).all(|percent| quantizer(percent) >= quantizer(percent + 1)));
        assert!(Quality::new(101).is_err());
    }
}
