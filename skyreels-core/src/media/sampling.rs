//! Which frames of a video show it at another rate.

use super::FrameRate;

/// Numbers of the frames that show a video at `target` frames per second, as the original's script has them.
///
/// The video has `frames` frames at `rate` on average. Instant k is `k / target` seconds as long as that lies
/// before the end; its frame is `trunc(instant * rate)`; at most `limit` are taken. The arithmetic is that of the
/// original (double precision, NumPy's `arange`), so the numbers are the same, rounding included: where an instant
/// falls on a frame it may come out one lower, so that at 12 frames per second frame 6 is taken twice and 7 never.
/// [`sample_indices`] does not do that.
pub fn original_indices(frames: u64, rate: FrameRate, target: FrameRate, limit: usize) -> Vec<u64> {
    let rate = rate.as_f64();
    let duration = frames as f64 / rate;
    let step = 1.0 / target.as_f64();
    let instants = (duration / step).ceil() as u64;
    (0..instants).map(|k| (k as f64 * step * rate) as u64).filter(|index| *index < frames).take(limit).collect()
}

/// Numbers of the frames that show a video at `target` frames per second: frame `floor(k * rate / target)` for
/// each instant `k` of a video of `frames` frames at `rate`, at most `limit`. In whole numbers, so that a video at its own
/// rate is every frame once.
pub fn sample_indices(frames: u64, rate: FrameRate, target: FrameRate, limit: usize) -> Vec<u64> {
    let numerator = u128::from(rate.numerator()) * u128::from(target.denominator());
    let denominator = u128::from(rate.denominator()) * u128::from(target.numerator());
    let index = |k: u128| (k * numerator / denominator) as u64;
    (0..limit as u128).map(index).take_while(|index| *index < frames).collect()
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
            for (k, index) in indices.iter().enumerate() {
                // Never later than its instant, never a whole frame and more before it.
                let exact = k as f64 / 12.0 * rate.as_f64();
                prop_assert!(*index as f64 <= exact + 1e-6 && *index as f64 > exact - 1.0 - 1e-6);
            }
        }
    }
}
