//! Taking the tremor out of landmarks without holding them back.

mod kalman;
mod one_euro;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub use one_euro::OneEuro;

use crate::{Error, Result};
use kalman::KalmanFilter;
pub use kalman::Kalman;
use one_euro::OneEuroFilter;

/// What smooths the landmarks of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// Nothing: what the network says.
    #[default]
    Off,
    /// The one-euro filter: the slower a point moves, the more of its past it keeps.
    OneEuro(OneEuro),
    /// Kalman
    Kalman(Kalman),
}

impl Smoothing {
    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the parameter and its value.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Off | Self::Kalman(_) => Ok(()),
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
            Self::Kalman(_) => f.write_str("kalman"),
            Self::OneEuro(OneEuro { min_cutoff, beta, derivative_cutoff }) => {
                write!(f, "{ONE_EURO}:{min_cutoff},{beta},{derivative_cutoff}")
            }
        }
    }
}

/// The state of the smoothing of one face.
pub(crate) struct LandmarkFilter {
    smoothing: Smoothing,
    /// One per coordinate.
    states: Vec<OneEuroFilter>,
    kalman: Vec<KalmanFilter>,
    last: Option<Duration>,
}

impl LandmarkFilter {
    pub(crate) fn new(smoothing: Smoothing) -> Self {
        Self { smoothing, states: Vec::new(), kalman: Vec::new(), last: None }
    }

    /// Smooths landmarks relative to a frame of `size` pixels, seen at a time.
    ///
    /// Every coordinate is filtered in pixels (z in those of the width), its speed measured in sizes of the face.
    pub(crate) fn apply(&mut self, points: &mut [[f32; 3]], at: Duration, [width, height]: [f32; 2]) {
        if self.smoothing == Smoothing::Off {
            return;
        }
        let scale = [width, height, width];
        let mut pixels: Vec<[f32; 3]> =
            points.iter().map(|p| std::array::from_fn(|axis| p[axis] * scale[axis])).collect();
        let [left, top, right, bottom] = crate::mediapipe::bounds(&pixels);
        let face = ((right - left) + (bottom - top)) / 2.0;
        // A face of no size has no speed in sizes.
        if face.is_nan() || face < MIN_FACE_PIXELS {
            return;
        }
        // As in MediaPipe, a time of 0 counts as unknown.
        let step = self.last.filter(|last| !last.is_zero()).map(|last| at.saturating_sub(last).as_secs_f64());
        match self.smoothing {
            Smoothing::Off => {}
            Smoothing::OneEuro(filter) => {
                self.states.resize(3 * points.len(), OneEuroFilter::default());
                for (value, state) in pixels.as_flattened_mut().iter_mut().zip(&mut self.states) {
                    *value = state.apply(&filter, step, f64::from(1.0 / face), *value);
                }
            }
            Smoothing::Kalman(filter) => {
                self.kalman.resize(3 * points.len(), KalmanFilter::default());
                for (value, state) in pixels.as_flattened_mut().iter_mut().zip(&mut self.kalman) {
                    *value = state.apply(&filter, step, f64::from(face), *value);
                }
            }
        }
        self.last = Some(at);
        for (point, pixel) in points.iter_mut().zip(pixels) {
            *point = std::array::from_fn(|axis| pixel[axis] / scale[axis]);
        }
    }
}

/// Smaller faces are not smoothed (MediaPipe's limit).
const MIN_FACE_PIXELS: f32 = 1e-6;
