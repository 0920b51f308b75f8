//! Convolutions of 3x3 positions and one or three frames.

mod direct;
mod winograd;

use super::padded::Padded;

/// Fewest channels on either side from which on fewer products are worth the passes that they cost.
const CHANNELS: usize = 8;
/// Fewest positions, frames included, that are worth the passes over the kernel.
const POSITIONS: usize = 256;

/// `output += conv(input) + bias`
///
/// # Shapes
/// `weight` `[to, from, times, 3, 3]`, `bias` `[to]`, `output` `[batch, to, frames, height,
/// width]` where the input has `frames + times - 1` frames and `from` channels.
pub(super) fn add_conv(input: &Padded, weight: &[f32], bias: &[f32], output: &mut [f32]) {
    let to = bias.len();
    if input.channels.min(to) >= CHANNELS && output.len() / to >= POSITIONS {
        winograd::add_conv(input, weight, bias, output);
    } else {
        direct::add_conv(input, weight, bias, output);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Largest difference of both ways, relative to the root mean square of the result.
    const TOLERANCE: f32 = 2e-5;

    /// Numbers between -1 and 1.
    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let number = |index: u32| {
            let mixed = (index ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
            let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35);
            ((mixed ^ (mixed >> 16)) >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count as u32).map(number).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn both_ways_are_the_same_convolution(
            batch in 1usize..3, from in 1usize..20, to in 1usize..20, frames in 1usize..5, height in 1usize..19,
            width in 1usize..40, three in any::<bool>(), seed in any::<u32>(),
        ) {
            let times = if three { 3 } else { 1 };
            let mut input = Padded::new([batch, from, frames + times - 1, height, width]);
            let values = noise(batch * from * input.frames * height * width, seed);
            let seen = input.frames;
            input.fill(0, |channel, frame, y, row| {
                row.copy_from_slice(&values[((channel * seen + frame) * height + y) * width..][..width]);
            });
            let weight = noise(to * from * times * 9, seed ^ 1);
            let bias = noise(to, seed ^ 2);
            let mut direct = noise(batch * to * frames * height * width, seed ^ 3);
            let mut fewer = direct.clone();
            direct::add_conv(&input, &weight, &bias, &mut direct);
            winograd::add_conv(&input, &weight, &bias, &mut fewer);
            let size = (direct.iter().map(|value| value * value).sum::<f32>() / direct.len() as f32).sqrt();
            let far = direct.iter().zip(&fewer).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            prop_assert!(far <= TOLERANCE * size, "{far} of {size}");
        }
    }
}
