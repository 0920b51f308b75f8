//! How a clip is cut in time.
//!
//! The network sees a few frames at a time and carries the last frames of every convolution's
//! input over. Norms see one batch only, so the cut is part of the function.

use std::ops::Range;

/// Frames of an encoder batch (`num_sample_frames_batch_size` of the original).
const FRAMES: usize = 8;
/// Latent frames of a decoder batch (`num_latent_frames_batch_size` of the original).
const LATENT_FRAMES: usize = 2;

/// Batches in which `frames` frames are encoded: 8 at a time, what is left over joins the first.
///
/// ```
/// let batches = skyreels_vae::frame_batches(49);
/// assert_eq!(batches[0], 0..9);
/// assert_eq!(batches[5], 41..49);
/// ```
pub fn frame_batches(frames: usize) -> Vec<Range<usize>> {
    batches(frames, FRAMES)
}

/// Batches in which `latent_frames` latent frames are decoded: 2 at a time, an odd one joins the
/// first.
pub fn latent_batches(latent_frames: usize) -> Vec<Range<usize>> {
    batches(latent_frames, LATENT_FRAMES)
}

fn batches(length: usize, size: usize) -> Vec<Range<usize>> {
    if length == 0 {
        return Vec::new();
    }
    let count = (length / size).max(1);
    let remainder = length % size;
    let start = |k: usize| if k == 0 { 0 } else { size * k + remainder };
    (0..count).map(|k| start(k)..(size * (k + 1) + remainder).min(length)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forty_nine_frames_are_nine_and_five_times_eight() {
        let lengths: Vec<usize> = frame_batches(49).iter().map(ExactSizeIterator::len).collect();
        assert_eq!(lengths, [9, 8, 8, 8, 8, 8]);
        let lengths: Vec<usize> = latent_batches(13).iter().map(ExactSizeIterator::len).collect();
        assert_eq!(lengths, [3, 2, 2, 2, 2, 2]);
    }

    proptest! {
        #[test]
        fn batches_cover_every_frame_once_in_order(length in 1usize..200, size in 1usize..10) {
            let mut next = 0;
            for batch in batches(length, size) {
                prop_assert_eq!(batch.start, next);
                prop_assert!(!batch.is_empty() && batch.len() < 2 * size);
                next = batch.end;
            }
            prop_assert_eq!(next, length);
        }
    }
}
