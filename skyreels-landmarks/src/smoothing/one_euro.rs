//! The one-euro filter (Casiez, Roussel and Vogel 2012) as MediaPipe 0.10 computes it.

use std::f64::consts::TAU;

use crate::{Error, Result};

/// Parameters of a one-euro filter: a low-pass whose cutoff grows with speed.
///
/// `cutoff = min_cutoff + beta |speed|` with the speed in sizes of the face per second, itself low-passed at
/// `derivative_cutoff`; a value enters with weight `1 / (1 + rate / (2 pi cutoff))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneEuro {
    /// Cutoff of a point at rest, in hertz, above 0. Lower: less tremor.
    pub min_cutoff: f64,
    /// Hertz of cutoff per size of the face per second, from 0. Higher: less lag.
    pub beta: f64,
    /// Cutoff of the speed, in hertz, above 0.
    pub derivative_cutoff: f64,
}

impl OneEuro {
    /// What MediaPipe's face landmarker uses in video mode; its options are f32.
    pub const MEDIAPIPE: Self = Self { min_cutoff: 0.05_f32 as f64, beta: 80.0, derivative_cutoff: 1.0 };

    pub(super) fn validate(&self) -> Result<()> {
        let Self { min_cutoff, beta, derivative_cutoff } = *self;
        for (what, value, fine) in [
            ("min_cutoff", min_cutoff, min_cutoff > 0.0),
            ("beta", beta, beta >= 0.0),
            ("derivative_cutoff", derivative_cutoff, derivative_cutoff > 0.0),
        ] {
            if !fine || value.is_infinite() {
                return Err(Error::invalid(what, format!("{value} smooths nothing; cutoffs are above 0, beta from 0")));
            }
        }
        Ok(())
    }
}

/// Rate assumed before two times are known, in hertz (MediaPipe's default).
const FIRST_RATE: f64 = 30.0;

/// The filter of one coordinate. Its state is f32, as MediaPipe's.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneEuroFilter {
    rate: f64,
    last: Option<f32>,
    value: LowPass,
    speed: LowPass,
}

impl Default for OneEuroFilter {
    fn default() -> Self {
        Self { rate: FIRST_RATE, last: None, value: LowPass::default(), speed: LowPass::default() }
    }
}

impl OneEuroFilter {
    /// The filtered value, `step` seconds after the last one.
    pub(super) fn apply(&mut self, filter: &OneEuro, step: Option<f64>, value_scale: f64, value: f32) -> f32 {
        if let Some(step) = step.filter(|step| *step > 0.0) {
            self.rate = 1.0 / step;
        }
        let raw = f64::from(value);
        let speed = self.last.map_or(0.0, |last| (raw - f64::from(last)) * value_scale * self.rate);
        let speed = self.speed.apply(speed as f32, self.weight(filter.derivative_cutoff));
        let cutoff = filter.min_cutoff + filter.beta * f64::from(speed).abs();
        self.last = Some(value);
        self.value.apply(value, self.weight(cutoff))
    }

    fn weight(&self, cutoff: f64) -> f32 {
        let (period, constant) = (1.0 / self.rate, 1.0 / (TAU * cutoff));
        (1.0 / (1.0 + constant / period)) as f32
    }
}

/// An exponential average.
#[derive(Debug, Clone, Copy, Default)]
struct LowPass(Option<f32>);

impl LowPass {
    fn apply(&mut self, value: f32, weight: f32) -> f32 {
        let result = match self.0 {
            None => value,
            Some(held) => (f64::from(weight * value) + (1.0 - f64::from(weight)) * f64::from(held)) as f32,
        };
        self.0 = Some(result);
        result
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filtered(values: &[f32], filter: &OneEuro) -> Vec<f32> {
        let mut state = OneEuroFilter::default();
        values.iter().map(|value| state.apply(filter, Some(0.04), 0.01, *value)).collect()
    }

    #[test]
    fn tremor_is_taken_out_of_rest_and_a_jump_is_followed_at_once() {
        let tremor: Vec<f32> = (0..200).map(|i| 100.0 + 0.1 * f32::from(i % 2 == 0)).collect();
        let still = filtered(&tremor, &OneEuro::MEDIAPIPE);
        let steps = |values: &[f32]| values.windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f32>();
        assert!(steps(&still[100..]) < 0.2 * steps(&tremor[100..]));
        let jump: Vec<f32> = (0..20).map(|i| if i < 10 { 0.0 } else { 100.0 }).collect();
        assert!(filtered(&jump, &OneEuro::MEDIAPIPE)[11] > 90.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_filter_never_leaves_the_range_of_its_values(
            values in prop::collection::vec(-500f32..500.0, 1..40), min_cutoff in 0.01f64..5.0, beta in 0.0f64..100.0,
        ) {
            let filter = OneEuro { min_cutoff, beta, derivative_cutoff: 1.0 };
            let low = values.iter().copied().fold(f32::INFINITY, f32::min);
            let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for value in filtered(&values, &filter) {
                prop_assert!((low - 1e-3..=high + 1e-3).contains(&value));
            }
        }

        #[test]
        fn a_point_at_rest_stays(value in -500f32..500.0) {
            for filtered in filtered(&[value; 9], &OneEuro::MEDIAPIPE) {
                prop_assert!((filtered - value).abs() < 1e-3);
            }
        }
    }
}
