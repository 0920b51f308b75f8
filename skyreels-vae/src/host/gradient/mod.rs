//! A convolution, with what comes before it, that knows its way back; on plain slices.

mod activation;

#[cfg(test)]
mod tests;

use activation::Normalised;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::conv::{add_conv, weight_gradient};
use super::padded::{Modulation, Padded};
use super::values;

/// What is done to the input of a convolution first.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it lives for a call, and a tensor is a handle")]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Every pixel becomes two by two.
    Doubling,
    /// `silu(norm(x) * gain + offset)`, gain and offset following `x` by the nearest rule.
    Activation {
        /// `[batch, channels, t, h, w]`, smaller than `x` by whole factors.
        gain: Tensor<5>,
        /// As the gain.
        offset: Tensor<5>,
        /// Groups of channels that are normalised together.
        groups: usize,
        /// What is added to the variance.
        epsilon: f64,
    },
}

/// A convolution that was computed, and what its gradients need.
pub struct Convolved {
    input: Padded,
    weight: Tensor<5>,
    before: Undo,
    past: Past,
    device: Device,
}

/// Where the frames before the first one came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// There are none: the kernel sees one frame.
    Nowhere,
    /// The first frame.
    First,
    /// The convolution of the frames before these.
    Earlier,
}

enum Undo {
    Nothing,
    Doubling,
    Activation(Normalised),
}

/// Cotangents of everything that went into a convolution.
pub struct ConvolutionGradients {
    /// `[to, from, times, 3, 3]`
    pub weight: Tensor<5>,
    /// `[to]`
    pub bias: Tensor<1>,
    /// As the input.
    pub input: Tensor<5>,
    /// As gain and offset, where there are any.
    pub modulation: Option<(Tensor<5>, Tensor<5>)>,
    /// Of the last frames that the convolution before this one saw.
    pub past: Option<Tensor<5>>,
}

impl std::fmt::Debug for Convolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Convolved").field("weight", &self.weight.dims()).finish_non_exhaustive()
    }
}

impl Convolved {
    /// The causal convolution of `x` with zeros around its frames. Before them come the last frames of `earlier`, or copies
    /// of the first.
    ///
    /// All tensors are f32, without gradients, in this process's memory.
    ///
    /// # Shapes
    /// `x` `[batch, from, frames, height, width]`, `weight` `[to, from, 1 or 3, 3, 3]`
    /// `-> [batch, to, frames, height, width]`, with doubled height and width after a doubling; `sum` is added to that.
    pub fn of(
        x: Tensor<5>,
        before: Before,
        weight: Tensor<5>,
        bias: Option<Tensor<1>>,
        earlier: Option<&Self>,
        sum: Option<Tensor<5>>,
    ) -> (Tensor<5>, Self) {
        let device = x.device();
        let [batch, from, frames, height, width] = x.dims();
        let [to, _, times, ..] = weight.dims();
        let (past, before_frames) = match (times - 1, earlier) {
            (0, _) => (Past::Nowhere, 0),
            (count, None) => (Past::First, count),
            (count, Some(_)) => (Past::Earlier, count),
        };
        let scale = if matches!(before, Before::Doubling) { 2 } else { 1 };
        let shape = [batch, from, before_frames + frames, scale * height, scale * width];
        let mut input = Padded::new(shape);
        let start = |channel: usize, frame: usize, y: usize| ((channel * frames + frame) * height + y) * width;
        let x_shape = x.dims();
        let x = values(x);
        let before = match before {
            Before::Nothing => {
                input.fill(before_frames, |channel, frame, y, row| {
                    row.copy_from_slice(&x[start(channel, frame, y)..][..width]);
                });
                Undo::Nothing
            }
            Before::Doubling => {
                input.fill_doubled(before_frames, &x);
                Undo::Doubling
            }
            Before::Activation { gain, offset, groups, epsilon } => {
                let [_, _, sizes @ ..] = gain.dims();
                let after = Modulation { gain: values(gain), offset: values(offset), sizes };
                let normalised = Normalised::new(x, x_shape, groups, epsilon, after);
                input.fill_activated(before_frames, normalised.x(), &normalised.modulation());
                Undo::Activation(normalised)
            }
        };
        match earlier {
            Some(earlier) if before_frames > 0 => input.fill_past(&earlier.input.last(before_frames), before_frames),
            _ => input.repeat_into_past(before_frames),
        }
        let shape = [batch, to, frames, input.height, input.width];
        let mut output = sum.map_or_else(|| vec![0.0; shape.iter().product()], values);
        let bias = bias.map_or_else(|| vec![0.0; to], values);
        add_conv(&input, &values(weight.clone()), &bias, &mut output);
        let output = Tensor::from_data(TensorData::new(output, shape), &device);
        (output, Self { input, weight, before, past, device })
    }

    /// Cotangents from that of the result, and from what the convolution after this one asks of the last frames that this
    /// one saw ([`ConvolutionGradients::past`]).
    pub fn backward(self, cotangent: Tensor<5>, later: Option<Tensor<5>>) -> ConvolutionGradients {
        let [to, from, times, ..] = self.weight.dims();
        let shape = cotangent.dims();
        let around = times - 1;
        let cotangent = values(cotangent);
        let bias = channel_sums(&cotangent, shape);
        let padded = padded(&cotangent, shape, around);
        drop(cotangent);
        let weight = weight_gradient(&self.input, &padded, around);
        let (batch, height, width) = (self.input.batch, self.input.height, self.input.width);
        let seen = self.input.frames;
        drop(self.input);
        // The gradient with respect to the input is a convolution with the kernel turned around.
        let turned = values(self.weight.swap_dims(0, 1).flip([2, 3, 4]));
        let mut input = vec![0.0; batch * from * seen * height * width];
        add_conv(&padded, &turned, &vec![0.0; from], &mut input);
        drop(padded);
        let plane = height * width;
        // A kernel that sees one frame has kept none.
        if let Some(later) = later.filter(|_| around > 0) {
            let later = values(later);
            input.par_chunks_mut(seen * plane).zip(later.par_chunks(around * plane)).for_each(|(input, later)| {
                let (_, last) = input.split_at_mut((seen - around) * plane);
                last.iter_mut().zip(later).for_each(|(input, later)| *input += later);
            });
        }
        let tensor =
            |data: Vec<f32>, shape: [usize; 5]| Tensor::<5>::from_data(TensorData::new(data, shape), &self.device);
        let past = (self.past == Past::Earlier).then(|| {
            let past: Vec<&[f32]> = input.chunks(seen * plane).map(|channel| &channel[..around * plane]).collect();
            tensor(past.concat(), [batch, from, around, height, width])
        });
        if self.past == Past::First {
            input.par_chunks_mut(seen * plane).for_each(|input| {
                let (past, frames) = input.split_at_mut(around * plane);
                for past in past.chunks(plane) {
                    frames.iter_mut().zip(past).for_each(|(first, past)| *first += past);
                }
            });
        }
        let frames = seen - around;
        let own = |input: Vec<f32>| match around {
            0 => input,
            _ => input.chunks(seen * plane).map(|channel| &channel[around * plane..]).collect::<Vec<_>>().concat(),
        };
        let shape = [batch, from, frames, height, width];
        let (input, modulation) = match self.before {
            Undo::Nothing => (tensor(own(input), shape), None),
            Undo::Doubling => {
                let (height, width) = (height / 2, width / 2);
                (tensor(halved(&own(input), width), [batch, from, frames, height, width]), None)
            }
            Undo::Activation(normalised) => {
                let found = normalised.backward(input, around);
                let [t, h, w] = normalised.sizes();
                let [gain, offset] = [found.gain, found.offset].map(|data| tensor(data, [batch, from, t, h, w]));
                (tensor(found.x, shape), Some((gain, offset)))
            }
        };
        let weight = tensor(weight, [to, from, times, 3, 3]);
        let bias = Tensor::from_data(TensorData::new(bias, [to]), &self.device);
        ConvolutionGradients { weight, bias, input, modulation, past }
    }
}

/// Sums over everything but the channels.
fn channel_sums(values: &[f32], [batch, channels, frames, height, width]: [usize; 5]) -> Vec<f32> {
    let length = frames * height * width;
    let sums: Vec<f64> = values.par_chunks(length).map(|values| values.iter().map(|v| f64::from(*v)).sum()).collect();
    (0..channels).map(|channel| (0..batch).map(|item| sums[item * channels + channel]).sum::<f64>() as f32).collect()
}

/// Sums over two by two neighbours, the way back of a doubling; `width` is that of the result.
fn halved(values: &[f32], width: usize) -> Vec<f32> {
    let mut halves = vec![0.0; values.len() / 4];
    halves.par_chunks_mut(width).zip(values.par_chunks(4 * width)).for_each(|(out, rows)| {
        let (above, below) = rows.split_at(2 * width);
        for ((out, above), below) in out.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
            *out = above[0] + above[1] + below[0] + below[1];
        }
    });
    halves
}

/// Values between zeros, with `around` frames of zeros before and after them.
fn padded(data: &[f32], [batch, channels, frames, height, width]: [usize; 5], around: usize) -> Padded {
    let mut padded = Padded::new([batch, channels, frames + 2 * around, height, width]);
    padded.fill(around, |channel, frame, y, row| {
        if frame < frames {
            let start = ((channel * frames + frame) * height + y) * width;
            row.copy_from_slice(&data[start..start + width]);
        }
    });
    padded
}
