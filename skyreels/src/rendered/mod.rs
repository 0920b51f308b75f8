//! Rendered people as portraits and drivers: of them everything is known, so that results can be compared with the truth.

mod look;
mod measure;
mod scene;

pub use measure::{AcrossScores, HeldOut, MOST_DECIBELS, Measurement, MotionErrors, OwnScores, measure};
pub use scene::{Scene, rendered_portrait};
