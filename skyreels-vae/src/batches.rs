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
    Batching::of_frames(frames).ranges()
}

/// Batches in which `latent_frames` latent frames are decoded: 2 at a time, an odd one joins the
/// first.
pub fn latent_batches(latent_frames: usize) -> Vec<Range<usize>> {
    Batching::of_latents(latent_frames).ranges()
}

/// Frames after halving their number: the first of an odd number stays alone.
pub(crate) fn halved(frames: usize) -> usize {
    frames.div_ceil(2)
}

/// Frames after doubling their number: the first of an odd number is not repeated.
pub(crate) fn doubled(frames: usize) -> usize {
    frames.saturating_mul(2) - frames % 2
}

/// Lengths of batches: they are the same but for the first. Takes no memory, however long the clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batching {
    /// Length of the first batch; 0 without any.
    pub(crate) first: usize,
    /// Batches after the first.
    pub(crate) others: usize,
    /// Length of each of those.
    pub(crate) size: usize,
}

impl Batching {
    /// After how many lengths the rest in the last batch repeats itself, frames and latents alike.
    pub(crate) const PERIOD: usize = FRAMES * LATENT_FRAMES;

    pub(crate) fn of_frames(frames: usize) -> Self {
        Self::new(frames, FRAMES)
    }

    pub(crate) fn of_latents(latent_frames: usize) -> Self {
        Self::new(latent_frames, LATENT_FRAMES)
    }

    fn new(length: usize, size: usize) -> Self {
        let others = (length / size).saturating_sub(1);
        Self { first: length - others * size, others, size }
    }

    /// The sum over all batches of a number that depends on a batch's length.
    pub(crate) fn sum(self, of_batch: impl Fn(usize) -> u64) -> u64 {
        if self.first == 0 {
            return 0;
        }
        let others = (self.others as u64).saturating_mul(if self.others > 0 { of_batch(self.size) } else { 0 });
        of_batch(self.first).saturating_add(others)
    }

    fn ranges(self) -> Vec<Range<usize>> {
        let first = (self.first > 0).then_some(0..self.first);
        let starts = (0..self.others).map(|number| self.first + number * self.size);
        first.into_iter().chain(starts.map(|start| start..start + self.size)).collect()
    }
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

    #[test]
    fn no_frames_are_no_batches_and_many_take_no_memory() {
        assert!(frame_batches(0).is_empty());
        assert_eq!(Batching::of_frames(0).sum(|_| 1), 0);
        let all = Batching::of_frames(usize::MAX);
        assert_eq!((all.first, all.others), (15, usize::MAX / 8 - 1));
        assert_eq!(all.sum(|batch| batch as u64), usize::MAX as u64);
    }

    #[test]
    fn halving_and_doubling_keep_the_first_of_an_odd_number_alone() {
        assert_eq!([0, 1, 2, 3, 8, 9].map(halved), [0, 1, 1, 2, 4, 5]);
        assert_eq!([0, 1, 2, 3, 4, 5].map(doubled), [0, 1, 4, 5, 8, 9]);
        assert!(doubled(usize::MAX) > usize::MAX / 2);
    }

    proptest! {
        #[test]
        fn batches_cover_every_frame_once_in_order(length in 1usize..200, size in 1usize..10) {
            let mut next = 0;
            for batch in Batching::new(length, size).ranges() {
                prop_assert_eq!(batch.start, next);
                prop_assert!(!batch.is_empty() && batch.len() < 2 * size);
                next = batch.end;
            }
            prop_assert_eq!(next, length);
            prop_assert_eq!(Batching::new(length, size).sum(|batch| batch as u64), length as u64);
        }
    }
}
