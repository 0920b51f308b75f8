//! Two layouts of the same values: TensorFlow Lite counts axes channels-last, Burn convolves channels-first.
//!
//! Every value is kept as a channels-first tensor of rank 4. A value of lower rank gets leading axes of size 1
//! before it is turned, so that broadcasting aligns on the right as TensorFlow Lite wants it.

use burn::tensor::Tensor;

/// Where a channels-last axis lies in the channels-first tensor.
const TO_CHANNELS_FIRST: [usize; 4] = [0, 2, 3, 1];
/// Order in which a channels-last tensor's axes are taken to become channels-first, and back.
const PERMUTE_FIRST: [isize; 4] = [0, 3, 1, 2];
const PERMUTE_LAST: [isize; 4] = [0, 2, 3, 1];

/// A shape of rank at most 4 with leading ones.
pub(super) fn padded(shape: &[usize]) -> [usize; 4] {
    let mut full = [1; 4];
    full[4 - shape.len()..].copy_from_slice(shape);
    full
}

/// The channels-first axis of axis `axis` of a value of rank `rank`.
pub(super) fn channels_first_axis(axis: usize, rank: usize) -> usize {
    TO_CHANNELS_FIRST[axis + 4 - rank]
}

/// Rearranges one item per channels-last axis.
pub(super) fn channels_first<T: Copy>(items: [T; 4]) -> [T; 4] {
    PERMUTE_FIRST.map(|axis| items[axis as usize])
}

/// Channels-last to channels-first.
pub(super) fn to_channels_first(tensor: Tensor<4>) -> Tensor<4> {
    tensor.permute(PERMUTE_FIRST)
}

/// Channels-first to channels-last.
pub(super) fn to_channels_last(tensor: Tensor<4>) -> Tensor<4> {
    tensor.permute(PERMUTE_LAST)
}

/// The permutation of channels-first axes that equals `permutation` of the `rank` channels-last ones.
pub(super) fn channels_first_permutation(permutation: &[usize]) -> [isize; 4] {
    let lead = 4 - permutation.len();
    let mut full = [0, 1, 2, 3];
    for (to, from) in permutation.iter().enumerate() {
        full[lead + to] = lead + from;
    }
    channels_first(full).map(|source| TO_CHANNELS_FIRST[source] as isize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_there_and_back_is_the_identity() {
        for (last, first) in TO_CHANNELS_FIRST.into_iter().enumerate() {
            assert_eq!(PERMUTE_FIRST[first] as usize, last);
        }
        assert_eq!(channels_first([1, 2, 3, 4]), [1, 4, 2, 3]);
        assert_eq!(padded(&[146, 2]), [1, 1, 146, 2]);
    }

    #[test]
    fn swapping_the_last_two_axes_swaps_channels_and_width() {
        assert_eq!(channels_first_permutation(&[0, 1, 3, 2]), [0, 3, 2, 1]);
        assert_eq!(channels_first_permutation(&[1, 0]), [0, 3, 2, 1]);
        assert_eq!(channels_first_permutation(&[0, 1, 2, 3]), [0, 1, 2, 3]);
    }
}
