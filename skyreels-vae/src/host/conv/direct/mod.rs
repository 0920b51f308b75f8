//! The convolution as it is written: tiles of outputs in registers, no matrix of patches.

mod gradient;

pub(super) use gradient::weight_gradient;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::KERNEL;
use crate::host::padded::{BORDER, Padded};

/// Vectors of neighbouring positions in a tile, with 32 registers.
const WIDE: usize = 3;
/// The same with 16 registers.
const NARROW: usize = 2;
/// Input channels that are summed up in registers: their weights stay in the first cache, their rows
/// in the second.
const CHANNELS: usize = 16;
/// Longest run of positions that a task computes.
const RUN: usize = 256;
/// Most rows of a task.
const ROWS: usize = 16;

/// See [`add_conv`](super::add_conv).
pub(super) fn add_conv(input: &Padded, weight: &[f32], bias: &[f32], output: &mut [f32]) {
    let arch = Arch::new();
    let conv = Conv { input, weight, bias, arch };
    arch.dispatch(Lanes { conv, output });
}

#[derive(Clone, Copy)]
struct Conv<'a> {
    input: &'a Padded,
    weight: &'a [f32],
    bias: &'a [f32],
    arch: Arch,
}

/// Finds out how wide vectors are, then runs the tile shape that fits the registers.
struct Lanes<'a> {
    conv: Conv<'a>,
    output: &'a mut [f32],
}

impl WithSimd for Lanes<'_> {
    type Output = ();

    fn with_simd<S: Simd>(self, _: S) {
        // Sums, vectors and a weight share 32 registers of 16 lanes, or 16 narrower ones.
        match (S::F32_LANES >= 16, self.conv.bias.len() > 4) {
            (true, true) => self.conv.run::<8, WIDE>(S::F32_LANES, self.output),
            (true, false) => self.conv.run::<4, WIDE>(S::F32_LANES, self.output),
            _ => self.conv.run::<4, NARROW>(S::F32_LANES, self.output),
        }
    }
}

impl Conv<'_> {
    /// `TO` output channels share a tile of `VECTORS` vectors of positions.
    fn run<const TO: usize, const VECTORS: usize>(self, lanes: usize, output: &mut [f32]) {
        let tile = VECTORS * lanes;
        let Padded { height, width, .. } = *self.input;
        let times = self.weight.len() / (self.bias.len() * self.input.channels * KERNEL * KERNEL);
        let frames = self.input.frames + 1 - times;
        let packed = self.packed::<TO>(times);
        let rows = rows(self.input.stride(), height, width, tile);
        // Tasks own a band of rows of one frame in every output channel.
        let bands = height.div_ceil(rows);
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        tasks.resize_with(self.input.batch * frames * bands, || Vec::with_capacity(self.bias.len()));
        for (plane, plane_output) in output.chunks_mut(frames * height * width).enumerate() {
            let item = plane / self.bias.len();
            for (frame, frame_output) in plane_output.chunks_mut(height * width).enumerate() {
                for (band, band_output) in frame_output.chunks_mut(rows * width).enumerate() {
                    tasks[(item * frames + frame) * bands + band].push(band_output);
                }
            }
        }
        tasks.into_par_iter().enumerate().for_each(|(task, outputs)| {
            let (item, frame, band) = (task / bands / frames, task / bands % frames, task % bands);
            let length = (outputs[0].len() / width - 1) * self.input.stride() + width;
            let start = self.input.index(item, frame, band * rows);
            let mut sums = vec![0.0; self.bias.len().next_multiple_of(TO) * length.next_multiple_of(tile)];
            self.arch.dispatch(Tiles::<TO, VECTORS> { conv: self, packed: &packed, times, start, sums: &mut sums });
            let each = length.next_multiple_of(tile);
            for ((output, sums), bias) in outputs.into_iter().zip(sums.chunks(each)).zip(self.bias) {
                for (row, sums) in output.chunks_mut(width).zip(sums.chunks(self.input.stride())) {
                    row.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum + bias);
                }
            }
        });
    }

    /// Weights in the order of their use: `[to / TO][from][times][3][3][TO]`.
    fn packed<const TO: usize>(&self, times: usize) -> Vec<f32> {
        let taps = times * KERNEL * KERNEL;
        let each = self.input.channels * taps;
        let mut packed = vec![0.0; self.bias.len().next_multiple_of(TO) * each];
        packed.par_chunks_mut(TO * each).zip(self.weight.par_chunks(TO * each)).for_each(|(packed, weight)| {
            // The last block may have fewer channels than a tile: its other weights stay zero.
            for (tap, packed) in packed.chunks_exact_mut(TO).enumerate() {
                packed.iter_mut().zip(weight[tap..].iter().step_by(each)).for_each(|(to, from)| *to = *from);
            }
        });
        packed
    }
}

/// Rows of a task such that few positions of its last tile are wasted.
fn rows(stride: usize, height: usize, width: usize, tile: usize) -> usize {
    let waste = |rows: usize| {
        let length = (rows - 1) * stride + width;
        (length.next_multiple_of(tile) * 1000) / (rows * width)
    };
    (1..=ROWS.min(height))
        .filter(|rows| *rows == 1 || rows * stride <= RUN)
        .min_by_key(|rows| waste(*rows))
        .unwrap_or(1)
}

/// All output channels of one run of positions.
struct Tiles<'a, const TO: usize, const VECTORS: usize> {
    conv: Conv<'a>,
    packed: &'a [f32],
    times: usize,
    start: usize,
    /// `[to][positions]`
    sums: &'a mut [f32],
}

impl<const TO: usize, const VECTORS: usize> WithSimd for Tiles<'_, TO, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let input = self.conv.input;
        let tile = VECTORS * S::F32_LANES;
        let taps = self.times * KERNEL * KERNEL;
        let blocks = self.conv.bias.len().div_ceil(TO);
        let length = self.sums.len() / (blocks * TO);
        let (stride, plane, channel_length) = (input.stride(), input.plane(), input.channel_length());
        let block_weights = input.channels * taps * TO;
        for from in (0..input.channels).step_by(CHANNELS) {
            let count = CHANNELS.min(input.channels - from);
            for (block, sums) in self.sums.chunks_exact_mut(TO * length).enumerate() {
                let weights = &self.packed[block * block_weights + from * taps * TO..][..count * taps * TO];
                for position in (0..length).step_by(tile) {
                    let mut acc = [[simd.splat_f32s(0.0); VECTORS]; TO];
                    for (to, acc) in acc.iter_mut().enumerate() {
                        *acc = vectors::<S, VECTORS>(&sums[to * length + position..][..tile]);
                    }
                    let mut weights = weights.chunks_exact(KERNEL * KERNEL * TO);
                    for channel in from..from + count {
                        for time in 0..self.times {
                            let first = self.start + position + channel * channel_length + time * plane;
                            let window = &input.data[first..first + (KERNEL - 1) * stride + tile + 2 * BORDER];
                            let Some(weights) = weights.next() else { return };
                            for (row, weights) in weights.chunks_exact(KERNEL * TO).enumerate() {
                                let x = &window[row * stride..row * stride + tile + 2 * BORDER];
                                for (column, weights) in weights.chunks_exact(TO).enumerate() {
                                    let x: [S::f32s; VECTORS] = vectors::<S, VECTORS>(&x[column..column + tile]);
                                    for (acc, weight) in acc.iter_mut().zip(weights) {
                                        let weight = simd.splat_f32s(*weight);
                                        for (acc, x) in acc.iter_mut().zip(x) {
                                            *acc = simd.mul_add_e_f32s(x, weight, *acc);
                                        }
                                    }
                                }
                            }
                        }
                    }
                    for (to, acc) in acc.iter().enumerate() {
                        let out = &mut sums[to * length + position..][..tile];
                        S::as_mut_simd_f32s(out).0.copy_from_slice(acc);
                    }
                }
            }
        }
    }
}

/// The vectors of a slice.
#[inline(always)]
fn vectors<S: Simd, const VECTORS: usize>(values: &[f32]) -> [S::f32s; VECTORS] {
    let vectors = S::as_simd_f32s(values).0;
    std::array::from_fn(|index| vectors[index])
}
