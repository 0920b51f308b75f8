//! What a filter was given, from what it gave: so that a reference that only tells smoothed points can be followed.

use std::time::Duration;

use super::{LandmarkFilter, pixels, relative};

/// Steps of the search; each halves what is left of the error.
const STEPS: usize = 30;
/// How far from the guess the search begins and ends, in pixels; what is not found in between stays the guess.
const FIRST_REACH: f64 = 1e-4;
const LAST_REACH: f64 = 0.05;

impl LandmarkFilter {
    /// The points that this filter, brought up to the frame before, turns into `smoothed`; brings it up to this frame.
    ///
    /// `guess` must be near them: it tells the size of the face.
    pub(crate) fn invert(
        &mut self,
        smoothed: &[[f32; 3]],
        guess: &[[f32; 3]],
        at: Duration,
        size: [f32; 2],
    ) -> Vec<[f32; 3]> {
        let Some((filter, step, scale)) = self.step(&pixels(guess, size), at) else { return smoothed.to_vec() };
        let (mut raw, wanted) = (pixels(guess, size), pixels(smoothed, size));
        let values = raw.as_flattened_mut().iter_mut().zip(wanted.as_flattened());
        for ((value, &wanted), state) in values.zip(&mut self.states) {
            let gives = |x: f64| f64::from(state.clone().apply(&filter, step, scale, x as f32)) - f64::from(wanted);
            let (guess, start) = (f64::from(*value), gives(f64::from(*value)));
            // Where a point turns back, several inputs give the same output: the nearest one is meant.
            let mut far = guess;
            let mut reach = FIRST_REACH;
            while start != 0.0 && far == guess && reach < LAST_REACH {
                far = [guess - reach, guess + reach].into_iter().find(|x| gives(*x) * start <= 0.0).unwrap_or(guess);
                reach *= 2.0;
            }
            let mut near = guess;
            for _ in 0..STEPS {
                let middle = (near + far) / 2.0;
                if gives(middle) * start > 0.0 {
                    near = middle;
                } else {
                    far = middle;
                }
            }
            *value = far as f32;
            state.apply(&filter, step, scale, *value);
        }
        self.last = Some(at);
        relative(&raw, size)
    }
}
