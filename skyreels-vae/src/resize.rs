//! Nearest resizes in time and space, with the rules for odd numbers of frames.

use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use crate::batches::doubled;

/// `x * gain + offset` where `gain` and `offset` are smaller by whole factors and follow `x` by
/// the nearest rule.
///
/// An odd number of frames above one keeps its first frame apart: it takes the first frame of
/// `gain`, the others share the rest. Rows are not repeated in memory, they broadcast.
///
/// # Shapes
/// `x` `[batch, channels, T, H, W]`, `gain` and `offset` `[batch, channels, t, h, w]`.
pub(crate) fn follow(x: Tensor<5>, gain: Tensor<5>, offset: Tensor<5>) -> Tensor<5> {
    let [batch, channels, frames, height, width] = x.dims();
    let rows = gain.dims()[3];
    if gain.dims()[2..] == [1; 3] {
        return x * gain + offset;
    }
    let planes = batch * channels * frames;
    let wide = |t: Tensor<5>| nearest(stretch_time(t, frames), [rows, width]).reshape([planes, rows, 1, width]);
    let x = x.reshape([planes, rows, height / rows, width]);
    (x * wide(gain) + wide(offset)).reshape([batch, channels, frames, height, width])
}

/// Repeats frames to `frames` of them.
fn stretch_time(x: Tensor<5>, frames: usize) -> Tensor<5> {
    let count = x.dims()[2];
    if count == frames {
        x
    } else if frames > 1 && frames % 2 == 1 && count > 1 {
        let first = x.clone().narrow(2, 0, 1);
        let rest = x.narrow(2, 1, count - 1);
        Tensor::cat(vec![first, repeat_frames(rest, (frames - 1) / (count - 1))], 2)
    } else {
        repeat_frames(x, frames / count)
    }
}

/// Repeats every frame `times` times.
fn repeat_frames(x: Tensor<5>, times: usize) -> Tensor<5> {
    if times == 1 {
        return x;
    }
    let [batch, channels, frames, height, width] = x.dims();
    x.reshape([batch * channels * frames, 1, height * width]).repeat_dim(1, times).reshape([
        batch,
        channels,
        frames * times,
        height,
        width,
    ])
}

/// Doubles the frames as the decoder does: a single one stays, the first of an odd number is not
/// repeated, all others are.
pub(crate) fn double_frames(x: Tensor<5>) -> Tensor<5> {
    let frames = doubled(x.dims()[2]);
    stretch_time(x, frames)
}

/// Halves the frames as the encoder does: means of pairs, with the first of an odd number apart.
pub(crate) fn halve_frames(x: Tensor<5>) -> Tensor<5> {
    let frames = x.dims()[2];
    match frames {
        1 => x,
        odd if odd % 2 == 1 => {
            let first = x.clone().narrow(2, 0, 1);
            Tensor::cat(vec![first, mean_of_pairs(x.narrow(2, 1, frames - 1))], 2)
        }
        _ => mean_of_pairs(x),
    }
}

fn mean_of_pairs(x: Tensor<5>) -> Tensor<5> {
    let [batch, channels, frames, height, width] = x.dims();
    let pairs = x.reshape([batch * channels, frames / 2, 2, height * width]);
    let mean = (pairs.clone().narrow(2, 0, 1) + pairs.narrow(2, 1, 1)).mul_scalar(0.5);
    mean.reshape([batch, channels, frames / 2, height, width])
}

/// Doubles height and width.
pub(crate) fn double_size(x: Tensor<5>) -> Tensor<5> {
    let [_, _, _, height, width] = x.dims();
    nearest(x, [2 * height, 2 * width])
}

/// Nearest resize of every frame by whole factors.
fn nearest(x: Tensor<5>, [height, width]: [usize; 2]) -> Tensor<5> {
    let [batch, channels, frames, from_height, from_width] = x.dims();
    if [from_height, from_width] == [height, width] {
        return x;
    }
    let planes = x.reshape([batch, channels * frames, from_height, from_width]);
    let options = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([height, width]);
    interpolate(planes, options).reshape([batch, channels, frames, height, width])
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// A clip of single pixels.
    fn clip(values: &[f32]) -> Tensor<5> {
        Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, values.len(), 1, 1])
    }

    fn values(clip: Tensor<5>) -> Vec<f32> {
        clip.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_first_of_an_odd_number_of_frames_stays_alone() {
        assert_eq!(values(double_frames(clip(&[1.0, 2.0, 3.0]))), [1.0, 2.0, 2.0, 3.0, 3.0]);
        assert_eq!(values(double_frames(clip(&[1.0, 2.0]))), [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(values(double_frames(clip(&[1.0]))), [1.0]);
        assert_eq!(values(halve_frames(clip(&[1.0, 2.0, 4.0, 6.0, 8.0]))), [1.0, 3.0, 7.0]);
        assert_eq!(values(halve_frames(clip(&[1.0, 3.0]))), [2.0]);
        assert_eq!(values(halve_frames(clip(&[5.0]))), [5.0]);
    }

    #[test]
    fn every_pixel_follows_the_latent_that_covers_it() {
        let device = Device::flex();
        let gain = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device).reshape([1, 1, 3, 1, 2]);
        let followed = follow(Tensor::ones([1, 1, 5, 2, 4], &device), gain.clone(), gain.mul_scalar(10.0));
        let frame = |a: f32, b: f32| [a, a, b, b, a, a, b, b].map(|v| 11.0 * v).to_vec();
        let expected = [frame(1.0, 2.0), frame(3.0, 4.0), frame(3.0, 4.0), frame(5.0, 6.0), frame(5.0, 6.0)].concat();
        assert_eq!(values(followed), expected);
    }
}
