//! Which frames of a video show it at another rate.

use super::FrameRate;

/// Numbers of the frames that show a video at `target` frames per second, as the original's script has them.
///
/// The video has `frames` frames at `rate` on average. Instant k is `k / target` seconds as long as that lies
/// before the end; its frame is `trunc(instant * rate)`; at most `limit` are taken. The arithmetic is that of the
/// original (double precision, NumPy's `arange`), so the numbers are the same, rounding included: where an instant
/// falls on a frame it may come out one lower, so that at 12 frames per second frame 6 is taken twice and 7 never.
/// And it takes every frame for as long as the average one, so that what a video of variable rate shows at an instant
/// may be seconds away from what it takes. [`FrameTimes::indices_at`] does neither.
pub fn original_indices(frames: u64, rate: FrameRate, target: FrameRate, limit: usize) -> Vec<u64> {
    let rate = rate.as_f64();
    let duration = frames as f64 / rate;
    let step = 1.0 / target.as_f64();
    let instants = (duration / step).ceil() as u64;
    (0..instants).map(|k| (k as f64 * step * rate) as u64).filter(|index| *index < frames).take(limit).collect()
}

/// Numbers of the frames that show something of one constant `rate` (a motion, for example) at `target` frames per
/// second: frame `floor(k * rate / target)` for each instant `k` of `frames` frames, at most `limit`. In whole numbers, so
/// that at its own rate it is every frame once. A video may change its rate: see [`FrameTimes`].
pub fn sample_indices(frames: u64, rate: FrameRate, target: FrameRate, limit: usize) -> Vec<u64> {
    let numerator = u128::from(rate.numerator()) * u128::from(target.denominator());
    let denominator = u128::from(rate.denominator()) * u128::from(target.numerator());
    let index = |k: u128| (k * numerator / denominator) as u64;
    (0..limit as u128).map(index).take_while(|index| *index < frames).collect()
}

/// Longest slack of a time: clocks that count milliseconds round by up to half of one, and coarser ones are exact.
const MAX_SLACK: f64 = 1e-3;
/// Beyond rounding of double precision, below every clock.
const MIN_SLACK: f64 = 1e-9;

/// When the frames of a video are on the screen, in seconds from the beginning of the movie.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameTimes {
    /// When each frame appears, in presentation order.
    pub times: Vec<f64>,
    /// When the last one disappears.
    pub end: f64,
    /// A tick of the file's clock: its times are rounded to whole ones.
    pub tick: f64,
}

impl FrameTimes {
    /// Numbers of the frames that are on the screen at the instants `k / target` before the end, at most `limit` of them:
    /// of each instant the last frame that has appeared by then, or the first frame where none has. A frame that the
    /// file's clock has rounded to just after its instant counts as there.
    ///
    /// This is how a player shows the video, whatever its rate does, and so in step with the sound.
    pub fn indices_at(&self, target: FrameRate, limit: usize) -> Vec<u64> {
        let slack = (self.tick / 2.0).min(MAX_SLACK) + MIN_SLACK;
        let instants = (0..limit as u64).map(|k| target.time_of(k));
        let mut shown = 0;
        instants
            .take_while(|instant| !self.times.is_empty() && (*instant == 0.0 || instant + slack < self.end))
            .map(|instant| {
                while self.times.get(shown + 1).is_some_and(|time| *time <= instant + slack) {
                    shown += 1;
                }
                shown as u64
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampled(rate: &str, frames: u64) -> Vec<u64> {
        original_indices(frames, rate.parse().unwrap(), FrameRate::NATIVE, 48)
    }

    #[test]
    fn the_listed_examples_come_out_as_in_the_original() {
        let of_25: Vec<u64> = (0..48).map(|k| k * 25 / 12).collect();
        assert_eq!(sampled("25", 100), of_25);
        assert_eq!(sampled("30", 10), [0, 2, 5, 7]);
        // At the target rate itself double rounding falls short at five instants.
        let of_12: Vec<u64> = (0..48).map(|k| if [7, 14, 25, 28, 31].contains(&k) { k - 1 } else { k }).collect();
        assert_eq!(sampled("12", 48), of_12);
    }

    #[test]
    fn a_frame_is_taken_at_the_instants_at_which_it_is_on_the_screen() {
        let at = |times: &[f64], end: f64| {
            FrameTimes { times: times.to_vec(), end, tick: 1e-3 }.indices_at(FrameRate::NATIVE, 100)
        };
        // A still of half a second, then four quick frames.
        assert_eq!(at(&[0.0, 0.5, 0.51, 0.52, 0.53], 0.6), [0, 0, 0, 0, 0, 0, 1, 4]);
        // Nothing is on the screen before the first frame: it is held.
        assert_eq!(at(&[0.2, 0.3], 0.4), [0, 0, 0, 0, 1]);
        // Thirds of a second in milliseconds: the second frame is 0.3 ms late, which is rounding.
        let thirds = FrameRate::new(3, 1).unwrap();
        let times = FrameTimes { times: vec![0.0, 0.333, 0.667, 1.0], end: 1.333, tick: 1e-3 };
        assert_eq!(times.indices_at(thirds, 100), [0, 1, 2, 3]);
        assert_eq!(at(&[0.0], 0.0), [0]);
        assert_eq!(at(&[], 0.0), [0; 0]);
        // Times that fall back, of a damaged file, still give rising numbers.
        assert_eq!(at(&[0.0, 0.3, 0.1, 0.2], 0.4), [0, 0, 0, 0, 3]);
    }

    #[test]
    fn exact_sampling_at_the_same_rate_takes_every_frame() {
        for rate in ["12", "24000/1001", "30"] {
            let rate = rate.parse().unwrap();
            assert_eq!(sample_indices(40, rate, rate, 100), (0..40).collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn sampled_numbers_rise_and_exist(frames in 0_u64..3_000, num in 1_u64..240_000, den in 1_u64..2_000, limit in 0_usize..200) {
            prop_assume!(num / den < 1_000 && num * 1_000 > den);
            let rate = FrameRate::new(num, den).unwrap();
            let indices = original_indices(frames, rate, FrameRate::NATIVE, limit);
            prop_assert!(indices.len() <= limit);
            prop_assert!(indices.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(indices.iter().all(|index| *index < frames));
            prop_assert_eq!(indices.first().copied(), (frames > 0 && limit > 0).then_some(0));
            let exact = sample_indices(frames, rate, FrameRate::NATIVE, limit);
            prop_assert!(exact.len().abs_diff(indices.len()) <= 1);
            prop_assert!(exact.iter().zip(&indices).all(|(exact, index)| exact.abs_diff(*index) <= 1));
            // What has one rate is sampled by its times as by its numbers.
            let times = (0..frames).map(|index| rate.time_of(index)).collect();
            let times = FrameTimes { times, end: rate.time_of(frames), tick: 0.0 };
            prop_assert_eq!(&times.indices_at(FrameRate::NATIVE, limit), &exact);
            for (k, index) in indices.iter().enumerate() {
                // Never later than its instant, never a whole frame and more before it.
                let exact = k as f64 / 12.0 * rate.as_f64();
                prop_assert!(*index as f64 <= exact + 1e-6 && *index as f64 > exact - 1.0 - 1e-6);
            }
        }
    }
}
