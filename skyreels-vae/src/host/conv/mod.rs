//! Convolutions of 3x3 positions and one or three frames, and the gradients of their kernels.

mod direct;
mod winograd;

use super::padded::Padded;

/// Rows and columns of a kernel.
const KERNEL: usize = 3;
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
    if worth_fewer_products([input.channels, to], output.len() / to) {
        winograd::add_conv(input, weight, bias, output);
    } else {
        direct::add_conv(input, weight, bias, output);
    }
}

/// The gradient with respect to the kernel, `[to, from, times, 3, 3]`, from the input of a convolution and the cotangent of its
/// output.
///
/// The cotangent has `around` frames of zeros before and after it, and zeros around its frames like the input. Sums are
/// made in one order, whatever the number of threads.
pub(super) fn weight_gradient(input: &Padded, cotangent: &Padded, around: usize) -> Vec<f32> {
    let frames = cotangent.frames - 2 * around;
    let positions = cotangent.batch * frames * cotangent.height * cotangent.width;
    if worth_fewer_products([input.channels, cotangent.channels], positions) {
        winograd::weight_gradient(input, cotangent, around)
    } else {
        direct::weight_gradient(input, cotangent, around)
    }
}

fn worth_fewer_products(channels: [usize; 2], positions: usize) -> bool {
    channels.iter().all(|count| *count >= CHANNELS) && positions >= POSITIONS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Largest difference of both ways, relative to the root mean square of the result.
    const TOLERANCE: f32 = 2e-5;

    /// Largest difference of both ways, relative to the root mean square of `direct`.
    fn far(direct: &[f32], fewer: &[f32]) -> f32 {
        let size = (direct.iter().map(|value| value * value).sum::<f32>() / direct.len() as f32).sqrt();
        direct.iter().zip(fewer).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / size
    }

    fn noisy(shape: [usize; 5], around: usize, seed: u32) -> Padded {
        let [batch, channels, frames, height, width] = shape;
        let values = noise(shape.iter().product(), seed);
        let mut padded = Padded::new([batch, channels, frames + 2 * around, height, width]);
        padded.fill(around, |channel, frame, y, row| {
            if frame < frames {
                row.copy_from_slice(&values[((channel * frames + frame) * height + y) * width..][..width]);
            }
        });
        padded
    }

    /// Numbers between -1 and 1.
    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let number = |index: u32| {
            let mixed = (index ^ seed.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x85EB_CA6B);
            let mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xC2B2_AE35);
            ((mixed ^ (mixed >> 16)) >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count as u32).map(number).collect()
    }

    /// Sizes that one pass has no room for: several rows of tiles, several frames, several groups of output channels.
    #[test]
    fn gradients_of_parts_add_up() {
        for (from, to, [frames, height, width]) in
            [(128, 8, [2, 96, 96]), (128, 9, [9, 32, 36]), (512, 160, [1, 16, 16])]
        {
            let input = noisy([1, from, frames + 2, height, width], 0, 1);
            let cotangent = noisy([1, to, frames, height, width], 2, 2);
            let direct = direct::weight_gradient(&input, &cotangent, 2);
            let fewer = winograd::weight_gradient(&input, &cotangent, 2);
            let far = far(&direct, &fewer);
            assert!(far <= TOLERANCE, "{from} to {to}: {far}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn both_ways_are_the_same_convolution(
            batch in 1usize..3, from in 1usize..20, to in 1usize..20, frames in 1usize..5, height in 1usize..19,
            width in 1usize..40, three in any::<bool>(), seed in any::<u32>(),
        ) {
            let times = if three { 3 } else { 1 };
            let input = noisy([batch, from, frames + times - 1, height, width], 0, seed);
            let weight = noise(to * from * times * 9, seed ^ 1);
            let bias = noise(to, seed ^ 2);
            let mut direct = noise(batch * to * frames * height * width, seed ^ 3);
            let mut fewer = direct.clone();
            direct::add_conv(&input, &weight, &bias, &mut direct);
            winograd::add_conv(&input, &weight, &bias, &mut fewer);
            let far = far(&direct, &fewer);
            prop_assert!(far <= TOLERANCE, "{far}");
        }

        #[test]
        fn both_ways_are_the_same_gradient(
            batch in 1usize..3, from in 1usize..20, to in 1usize..20, frames in 1usize..5, height in 1usize..19,
            width in 1usize..40, three in any::<bool>(), seed in any::<u32>(),
        ) {
            let times = if three { 3 } else { 1 };
            let input = noisy([batch, from, frames + times - 1, height, width], 0, seed);
            let cotangent = noisy([batch, to, frames, height, width], times - 1, seed ^ 1);
            let direct = direct::weight_gradient(&input, &cotangent, times - 1);
            let fewer = winograd::weight_gradient(&input, &cotangent, times - 1);
            let far = far(&direct, &fewer);
            prop_assert!(far <= TOLERANCE, "{far}");
        }
    }
}
