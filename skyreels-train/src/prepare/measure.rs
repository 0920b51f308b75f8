//! How much happens in a clip, and how that is distributed.

use serde::{Deserialize, Serialize};
use skyreels_landmarks::Face;

/// How much the face of a clip moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The largest of the ranges of yaw, pitch and roll, in degrees.
    pub head: f32,
    /// Range of the gap between the lips, as a share of the mouth's width.
    pub mouth: f32,
}

/// Ranges leave out this share at either end: one wrong frame is no motion.
const OUTLIERS: f64 = 0.05;

impl Measure {
    pub(super) fn of(faces: &[&Face]) -> Self {
        let range = |value: &dyn Fn(&Face) -> f32| {
            let values = Distribution::new(faces.iter().map(|face| value(face)).collect());
            values.quantile(1.0 - OUTLIERS) - values.quantile(OUTLIERS)
        };
        let turns: [&dyn Fn(&Face) -> f32; 3] =
            [&|face| face.angles().yaw, &|face| face.angles().pitch, &|face| face.angles().roll];
        let head = turns.into_iter().map(range).fold(0.0, f32::max);
        Self { head, mouth: range(&|face| face.lip_openness().unwrap_or(0.0)) }
    }
}

/// The quantiles that reports show.
pub const QUANTILES: [f64; 7] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0];

/// Numbers in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution(Vec<f32>);

impl Distribution {
    /// What is no number is left out.
    pub fn new(mut values: Vec<f32>) -> Self {
        values.retain(|value| !value.is_nan());
        values.sort_by(f32::total_cmp);
        Self(values)
    }

    /// The value below which a share of all values lies, on a line between its neighbours; 0 when there are none.
    pub fn quantile(&self, share: f64) -> f32 {
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        let place = share.clamp(0.0, 1.0) * last as f64;
        let (below, above) = (self.0[place.floor() as usize], self.0[place.ceil() as usize]);
        below + (above - below) * place.fract() as f32
    }

    /// The least value of what remains when the lowest `share` of the values, rounded down, is left out; 0 when there are none.
    pub fn least_beyond(&self, share: f64) -> f32 {
        let left_out = (share.clamp(0.0, 1.0) * self.0.len() as f64) as usize;
        self.0.get(left_out).or(self.0.last()).copied().unwrap_or(0.0)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
