//! Taking the tremor out of landmarks without holding them back.

mod one_euro;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use one_euro::OneEuro;

use crate::mediapipe::bounds;
use crate::{Error, Result};
use one_euro::OneEuroFilter;

/// What smooths the landmarks of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// Nothing: what the network says.
    #[default]
    Off,
    /// The one-euro filter: the slower a point moves, the more of its past it keeps.
    ///
    /// It was chosen over a Kalman filter of constant velocity by their tremor on still faces (three portraits
    /// with noise, encoded: root mean square step between frames in thousandths of the face's size) and their lag on
    /// moving ones (the four driving videos), and it wins by a factor of four at the same lag:
    ///
    /// | filter | tremor | lag, ms |
    /// |---|---|---|
    /// | none | 0.43 | 0 |
    /// | one-euro, MediaPipe's parameters (0.05, 80, 1) | 0.06 | 12 |
    /// | one-euro (0.05, 40, 3): blinks keep more of their depth | 0.05 | 13 |
    /// | one-euro (0.05, 160, 3) | 0.12 | 4 |
    /// | Kalman, process over measurement noise 200 /s² | 0.23 | 17 |
    /// | Kalman, 500 /s² | 0.29 | 6 |
    OneEuro(OneEuro),
}

impl Smoothing {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the parameter and its value.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::OneEuro(filter) => filter.validate(),
        }
    }
}

/// Name of the one-euro filter in texts.
const ONE_EURO: &str = "one-euro";

impl FromStr for Smoothing {
    type Err = Error;

    /// `off`, `one-euro` (MediaPipe's parameters), or `one-euro:MIN_CUTOFF,BETA,DERIVATIVE_CUTOFF`.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            let ways = format!("off, {ONE_EURO} or {ONE_EURO}:MIN_CUTOFF,BETA,DERIVATIVE_CUTOFF");
            Error::invalid("smoothing", format!("`{text}` is unknown; use {ways}"))
        };
        let smoothing = match text.split_once(':') {
            None if text == "off" => Self::Off,
            None if text == ONE_EURO => Self::OneEuro(OneEuro::MEDIAPIPE),
            Some((ONE_EURO, numbers)) => {
                let numbers: Result<Vec<f64>, _> = numbers.split(',').map(|n| n.trim().parse()).collect();
                let [min_cutoff, beta, derivative_cutoff] = numbers.map_err(|_| unknown())?[..] else {
                    return Err(unknown());
                };
                Self::OneEuro(OneEuro { min_cutoff, beta, derivative_cutoff })
            }
            _ => return Err(unknown()),
        };
        smoothing.validate().map(|()| smoothing)
    }
}

impl fmt::Display for Smoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::OneEuro(OneEuro { min_cutoff, beta, derivative_cutoff }) => {
                write!(f, "{ONE_EURO}:{min_cutoff},{beta},{derivative_cutoff}")
            }
        }
    }
}

/// The state of the smoothing of one face.
#[derive(Clone)]
pub(crate) struct LandmarkFilter {
    smoothing: Smoothing,
    /// One per coordinate.
    states: Vec<OneEuroFilter>,
    last: Option<Duration>,
}

impl LandmarkFilter {
    pub(crate) fn new(smoothing: Smoothing) -> Self {
        Self { smoothing, states: Vec::new(), last: None }
    }

    /// Smooths landmarks relative to a frame of `size` pixels, seen at a time.
    ///
    /// Every coordinate is filtered in pixels (z in those of the width), its speed measured in sizes of the face.
    pub(crate) fn apply(&mut self, points: &mut [[f32; 3]], at: Duration, size: [f32; 2]) {
        let mut values = pixels(points, size);
        let Some((filter, step, scale)) = self.step(&values, at) else { return };
        for (value, state) in values.as_flattened_mut().iter_mut().zip(&mut self.states) {
            *value = state.apply(&filter, step, scale, *value);
        }
        self.last = Some(at);
        points.copy_from_slice(&relative(&values, size));
    }

    /// The filter, the seconds since the last frame, and what turns pixels into sizes of the face; `None` if nothing is
    /// to be smoothed.
    fn step(&mut self, pixels: &[[f32; 3]], at: Duration) -> Option<(OneEuro, Option<f64>, f64)> {
        let Smoothing::OneEuro(filter) = self.smoothing else { return None };
        let [left, top, right, bottom] = bounds(pixels);
        let face = ((right - left) + (bottom - top)) / 2.0;
        // A face of no size has no speed in sizes.
        if face.is_nan() || face < MIN_FACE_PIXELS {
            return None;
        }
        self.states.resize(3 * pixels.len(), OneEuroFilter::default());
        // As in MediaPipe, a time of 0 counts as unknown.
        let step = self.last.filter(|last| !last.is_zero()).map(|last| at.saturating_sub(last).as_secs_f64());
        Some((filter, step, f64::from(1.0 / face)))
    }
}

/// From shares of the frame to pixels; z is on the scale of x.
fn pixels(points: &[[f32; 3]], [width, height]: [f32; 2]) -> Vec<[f32; 3]> {
    points.iter().map(|[x, y, z]| [x * width, y * height, z * width]).collect()
}

/// From pixels to shares of the frame.
fn relative(pixels: &[[f32; 3]], [width, height]: [f32; 2]) -> Vec<[f32; 3]> {
    pixels.iter().map(|[x, y, z]| [x / width, y / height, z / width]).collect()
}

/// Smaller faces are not smoothed (MediaPipe's limit).
const MIN_FACE_PIXELS: f32 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoothing_is_read_as_it_is_written() {
        let own = Smoothing::OneEuro(OneEuro { min_cutoff: 0.5, beta: 40.0, derivative_cutoff: 3.0 });
        for smoothing in [Smoothing::Off, Smoothing::OneEuro(OneEuro::MEDIAPIPE), own] {
            assert_eq!(smoothing.to_string().parse::<Smoothing>().unwrap(), smoothing);
        }
        assert_eq!("one-euro".parse::<Smoothing>().unwrap(), Smoothing::OneEuro(OneEuro::MEDIAPIPE));
        for bad in ["", "kalman", "one-euro:", "one-euro:1,2", "one-euro:1,2,x", "one-euro:0,1,1", "one-euro:1,-1,1"] {
            assert!(bad.parse::<Smoothing>().is_err(), "{bad}");
        }
        assert!("one-euro:1,2,inf".parse::<Smoothing>().unwrap_err().to_string().contains("derivative_cutoff"));
    }

    #[test]
    fn nothing_is_smoothed_where_there_is_no_face_or_no_wish() {
        let points = vec![[0.5, 0.5, 0.0]; 478];
        for smoothing in [Smoothing::Off, Smoothing::OneEuro(OneEuro::MEDIAPIPE)] {
            let mut filter = LandmarkFilter::new(smoothing);
            for i in 0..3 {
                let mut same = points.clone();
                filter.apply(&mut same, Duration::from_millis(40 * i), [100.0, 100.0]);
                assert_eq!(same, points);
            }
        }
    }
}
