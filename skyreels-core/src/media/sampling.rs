//! Which frames of a driving video are used, and in which order they become the control sequence.

use super::FrameRate;

/// Driving frames of one clip of the published model (spec 1.2): 49 control frames less the portrait's own.
pub const DRIVING_FRAMES: usize = 48;

/// Numbers of the frames that show a video at `target` frames per second (spec 1.2, step 1).
///
/// The video has `frames` frames at `rate` on average. Instant k is `k / target` seconds as long as that lies
/// before the end; its frame is `trunc(instant * rate)`; at most `limit` are taken. The arithmetic is that of the
/// original (double precision, NumPy's `arange`), so the numbers are the same, rounding included.
pub fn sample_indices(frames: u64, rate: FrameRate, target: FrameRate, limit: usize) -> Vec<u64> {
    let rate = rate.as_f64();
    let duration = frames as f64 / rate;
    let step = 1.0 / target.as_f64();
    let instants = (duration / step).ceil() as u64;
    (0..instants).map(|k| (k as f64 * step * rate) as u64).filter(|index| *index < frames).take(limit).collect()
}

/// The frames that drive one clip, and what of the result is to be kept.
///
/// The model's control clip is the portrait's own motion followed by [`frames`](Self::frames).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSequence {
    /// Numbers of the driving frames, one for each control frame after the first.
    pub frames: Vec<u64>,
    /// How many frames at the beginning of the result do not belong to it.
    pub skip: usize,
    /// How many frames after those do.
    pub keep: usize,
}

impl ControlSequence {
    /// Each sampled frame once, the last one repeated up to `length`; the result is cut to the real length.
    ///
    /// # Panics
    /// Never: without sampled frames the sequence is empty.
    pub fn new(sampled: &[u64], length: usize) -> Self {
        let sampled = &sampled[..sampled.len().min(length)];
        let mut frames = sampled.to_vec();
        if let Some(last) = sampled.last() {
            frames.resize(length, *last);
        }
        Self { frames, skip: 1, keep: sampled.len() }
    }

    /// The sequence of the original's script (spec 1.2, step 2), defects included: the first frame twice, the last
    /// one lost when the clip is full, a frozen tail when it is not, one frame too many for a single frame.
    ///
    /// Output k of the kept ones corresponds to sampled frame k.
    pub fn compat(sampled: &[u64], length: usize) -> Self {
        let sampled = &sampled[..sampled.len().min(length)];
        let (Some(&first), Some(&last)) = (sampled.first(), sampled.last()) else {
            return Self { frames: Vec::new(), skip: COMPAT_SKIP, keep: 0 };
        };
        let mut frames = vec![first, first];
        frames.extend(sampled.iter().take(sampled.len() - 1).skip(1));
        frames.extend(std::iter::repeat_n(last, length - sampled.len()));
        let keep = frames.len() + 1 - COMPAT_SKIP;
        Self { frames, skip: COMPAT_SKIP, keep }
    }
}

/// Frames that the original drops from the beginning of its result (spec 1.6).
const COMPAT_SKIP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampled(rate: &str, frames: u64) -> Vec<u64> {
        sample_indices(frames, rate.parse().unwrap(), FrameRate::NATIVE, DRIVING_FRAMES)
    }

    #[test]
    fn the_listed_examples_come_out_as_in_the_original() {
        let of_25: Vec<u64> = (0..48).map(|k| k * 25 / 12).collect();
        assert_eq!(sampled("25", 100), of_25);
        assert_eq!(sampled("30", 10), [0, 2, 5, 7]);
        // At the target rate itself double rounding must not lose a frame that the original does not lose.
        let of_12 = sampled("12", 48);
        assert_eq!(of_12.len(), 48);
        assert!(of_12.iter().zip(0..).all(|(index, k)| k - index <= 1), "{of_12:?}");
    }

    #[test]
    fn the_compat_sequence_doubles_the_first_and_loses_the_last() {
        let all: Vec<u64> = (0..48).collect();
        let full = ControlSequence::compat(&all, 48);
        assert_eq!(full.frames[..4], [0, 0, 1, 2]);
        assert_eq!((full.frames.len(), *full.frames.last().unwrap(), full.skip, full.keep), (48, 46, 2, 47));
        let short = ControlSequence::compat(&all[..3], 48);
        assert_eq!(short.frames[..5], [0, 0, 1, 2, 2]);
        assert_eq!(short.frames.len(), 48);
        assert_eq!(ControlSequence::compat(&[7], 48).frames.len(), 49);
        assert!(ControlSequence::compat(&[], 48).frames.is_empty());
    }

    proptest! {
        #[test]
        fn sampled_numbers_rise_and_exist(frames in 0_u64..3_000, num in 1_u64..240_000, den in 1_u64..2_000, limit in 0_usize..200) {
            prop_assume!(num / den < 1_000 && num * 1_000 > den);
            let rate = FrameRate::new(num, den).unwrap();
            let indices = sample_indices(frames, rate, FrameRate::NATIVE, limit);
            prop_assert!(indices.len() <= limit);
            prop_assert!(indices.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(indices.iter().all(|index| *index < frames));
            prop_assert_eq!(indices.first().copied(), (frames > 0 && limit > 0).then_some(0));
            for (k, index) in indices.iter().enumerate() {
                // Never later than its instant, never a whole frame and more before it.
                let exact = k as f64 / 12.0 * rate.as_f64();
                prop_assert!(*index as f64 <= exact + 1e-6 && *index as f64 > exact - 1.0 - 1e-6);
            }
        }

        #[test]
        fn the_sequence_keeps_every_sampled_frame_once(count in 0_usize..60) {
            let sampled: Vec<u64> = (0..count as u64).map(|k| k * 2).collect();
            let sequence = ControlSequence::new(&sampled, DRIVING_FRAMES);
            prop_assert_eq!(sequence.keep, count.min(DRIVING_FRAMES));
            prop_assert_eq!(&sequence.frames[..sequence.keep], &sampled[..sequence.keep]);
            prop_assert!(sequence.frames.is_empty() == sampled.is_empty());
            prop_assert!(sampled.is_empty() || sequence.frames.len() == DRIVING_FRAMES);
        }

        #[test]
        fn output_k_of_the_compat_sequence_is_sampled_frame_k(count in 2_usize..60) {
            let sampled: Vec<u64> = (0..count as u64).collect();
            let sequence = ControlSequence::compat(&sampled, DRIVING_FRAMES);
            prop_assert_eq!(sequence.keep, 47);
            for k in 0..sequence.keep {
                // One control frame, the portrait's own, precedes `frames`.
                prop_assert_eq!(sequence.frames[k + sequence.skip - 1], sampled[k.min(count.min(48) - 1)]);
            }
        }
    }
}
