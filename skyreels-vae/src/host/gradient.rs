//! A convolution and its gradients on plain slices.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::conv::add_conv;
use super::padded::{BORDER, Padded};
use super::values;

/// Rows and columns of a kernel.
const KERNEL: usize = 3;
/// Numbers of the matrix of patches that is made at a time.
const PATCHES: usize = 1 << 21;

/// A convolution with zeros around the frames and none before them; f32, without gradients, in this process's memory.
///
/// # Shapes
/// `x` `[batch, from, frames + times - 1, height, width]`, `weight` `[to, from, times, 3, 3]`
/// `-> [batch, to, frames, height, width]`
pub fn convolve(x: Tensor<5>, weight: Tensor<5>, bias: Option<Tensor<1>>) -> Tensor<5> {
    let [to, _, times, ..] = weight.dims();
    let bias = bias.map_or_else(|| vec![0.0; to], values);
    conv(x, 0, &values(weight), &bias, times)
}

/// The gradient with respect to the input of [`convolve`]: a convolution with the kernel turned around.
///
/// # Shapes
/// `cotangent` `[batch, to, frames, height, width]`, `weight` `[to, from, times, 3, 3]`
/// `-> [batch, from, frames + times - 1, height, width]`
pub fn input_gradient(cotangent: Tensor<5>, weight: Tensor<5>) -> Tensor<5> {
    let [_, from, times, ..] = weight.dims();
    let turned = weight.swap_dims(0, 1).flip([2, 3, 4]);
    conv(cotangent, times - 1, &values(turned), &vec![0.0; from], times)
}

/// The gradient with respect to the weight of [`convolve`].
///
/// # Shapes
/// `x` `[batch, from, frames + times - 1, height, width]`, `cotangent` `[batch, to, frames, height, width]`
/// `-> [to, from, times, 3, 3]`
pub fn weight_gradient(x: Tensor<5>, cotangent: Tensor<5>) -> Tensor<5> {
    let device = x.device();
    let [batch, from, seen, height, width] = x.dims();
    let [_, to, frames, ..] = cotangent.dims();
    let times = seen + 1 - frames;
    let (taps, plane) = (times * KERNEL * KERNEL, height * width);
    let input = padded(&values(x), [batch, from, seen, height, width], 0);
    let step = (PATCHES / (from * taps * plane)).clamp(1, frames);
    let mut sum: Option<Tensor<2>> = None;
    for item in 0..batch {
        for start in (0..frames).step_by(step) {
            let count = step.min(frames - start);
            let patches = patches(&input, item, start..start + count, taps);
            let patches = TensorData::new(patches, [from * taps, count * plane]);
            let patches = Tensor::<2>::from_data(patches, &device);
            let part = cotangent.clone().narrow(0, item, 1).narrow(2, start, count).reshape([to, count * plane]);
            let product = part.matmul(patches.transpose());
            sum = Some(match sum {
                Some(sum) => sum + product,
                None => product,
            });
        }
    }
    sum.expect("there is a frame").reshape([to, from, times, KERNEL, KERNEL])
}

/// What each tap of the kernel sees in some frames, `[from * taps, frames * height * width]`.
fn patches(input: &Padded, item: usize, frames: std::ops::Range<usize>, taps: usize) -> Vec<f32> {
    let (height, width) = (input.height, input.width);
    let row = frames.len() * height * width;
    let mut patches = vec![0.0; input.channels * taps * row];
    patches.par_chunks_mut(row).enumerate().for_each(|(number, patches)| {
        let (channel, tap) = (number / taps, number % taps);
        let (time, down, right) = (tap / (KERNEL * KERNEL), tap / KERNEL % KERNEL, tap % KERNEL);
        let rows = frames.clone().flat_map(|frame| (0..height).map(move |y| (frame, y)));
        for ((frame, y), to) in rows.zip(patches.chunks_mut(width)) {
            let start = input.index(item, frame + time, y + down) + channel * input.channel_length() + right;
            to.copy_from_slice(&input.data[start..start + width]);
        }
    });
    patches
}

/// The convolution of `x` with `around` frames of zeros before and after it.
fn conv(x: Tensor<5>, around: usize, weight: &[f32], bias: &[f32], times: usize) -> Tensor<5> {
    let device = x.device();
    let shape = x.dims();
    let [batch, _, seen, height, width] = shape;
    let input = padded(&values(x), shape, around);
    let shape = [batch, bias.len(), seen + 2 * around + 1 - times, height, width];
    let mut output = vec![0.0; shape.iter().product()];
    add_conv(&input, weight, bias, &mut output);
    Tensor::from_data(TensorData::new(output, shape), &device)
}

fn padded(data: &[f32], shape: [usize; 5], around: usize) -> Padded {
    let [batch, channels, frames, height, width] = shape;
    debug_assert_eq!(BORDER, KERNEL / 2);
    let mut input = Padded::new([batch, channels, frames + 2 * around, height, width]);
    input.fill(around, |channel, frame, y, row| {
        if frame < frames {
            let start = ((channel * frames + frame) * height + y) * width;
            row.copy_from_slice(&data[start..start + width]);
        }
    });
    input
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::conv3d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    use super::*;

    fn distance(a: Tensor<5>, b: Tensor<5>) -> f32 {
        let size = b.clone().square().sum().sqrt().into_scalar::<f32>();
        (a - b).square().sum().sqrt().into_scalar::<f32>() / size.max(1e-6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn gradients_are_those_of_automatic_differentiation(
            batch in 1usize..3, from in 1usize..6, to in 1usize..10, frames in 1usize..4, height in 1usize..7,
            width in 1usize..20, three in any::<bool>(),
        ) {
            let device = Device::flex();
            let times = if three { 3 } else { 1 };
            let random = |shape| Tensor::<5>::random(shape, Distribution::Normal(0.0, 1.0), &device);
            let x = random([batch, from, frames + times - 1, height, width]);
            let weight = random([to, from, times, 3, 3]);
            let cotangent = random([batch, to, frames, height, width]);
            let [tracked, kernel] = [&x, &weight].map(|tensor| tensor.clone().autodiff().require_grad());
            let out = conv3d(tracked.clone(), kernel.clone(), None, ConvOptions::new([1; 3], [0, 1, 1], [1; 3], 1));
            prop_assert!(distance(convolve(x.clone(), weight.clone(), None), out.clone().inner()) < 1e-5);
            let gradients = (out * cotangent.clone().autodiff()).sum().backward();
            let ours = input_gradient(cotangent.clone(), weight);
            prop_assert!(distance(ours, tracked.grad(&gradients).unwrap()) < 1e-5);
            let ours = weight_gradient(x, cotangent);
            prop_assert!(distance(ours, kernel.grad(&gradients).unwrap()) < 1e-5);
        }
    }
}
