//! A measurement of every frame, and its mean.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a measurement says about each frame of a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameScores {
    /// One value per frame; `None` where it could not be measured, for want of a face.
    pub values: Vec<Option<f64>>,
    /// Mean of the values that are there.
    pub mean: f64,
}

impl FrameScores {
    /// Puts values together.
    ///
    /// # Errors
    /// [`Error::Empty`] when no frame has a value, [`Error::NotFinite`] names the frame whose value is no number.
    pub fn new(what: &str, values: Vec<Option<f64>>) -> Result<Self> {
        if let Some(index) = values.iter().position(|value| value.is_some_and(|value| !value.is_finite())) {
            return Err(Error::not_finite(what, format!("the value of frame {index}")));
        }
        let seen: Vec<f64> = values.iter().flatten().copied().collect();
        if seen.is_empty() {
            let what = format!("{what} over {} frames", values.len());
            return Err(Error::empty(what, "no frame has a face on both sides"));
        }
        let mean = seen.iter().sum::<f64>() / seen.len() as f64;
        Ok(Self { values, mean })
    }

    /// Frames that were measured.
    pub fn measured(&self) -> usize {
        self.values.iter().flatten().count()
    }

    /// Share of the frames that were measured.
    pub fn coverage(&self) -> f64 {
        self.measured() as f64 / self.values.len().max(1) as f64
    }
}
