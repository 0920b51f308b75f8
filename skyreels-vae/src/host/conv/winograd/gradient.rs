//! The gradient with respect to the kernel, from as few products: at every point, inputs times cotangents, summed over all tiles
//! before the way back to the kernel.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::plane::{Places, Scratch, Tiles, look, look_back, vector};
use super::points::{OUT, POINTS, to_kernel};
use super::{KERNEL, KERNEL_BYTES, MANY_REGISTERS, PRODUCTS};
use crate::host::padded::{BORDER, Padded};

/// Most bytes of the input's values at a point: they stay in the second cache while all output channels pass.
const POINT_BYTES: usize = 256 << 10;
/// Fewest tiles whose products are summed before vectors become numbers, where there are as many.
const LEAST_TILES: usize = 128;

/// See [`weight_gradient`](super::super::weight_gradient).
pub(in crate::host::conv) fn weight_gradient(input: &Padded, cotangent: &Padded, around: usize) -> Vec<f32> {
    let arch = Arch::new();
    arch.dispatch(Lanes { input, cotangent, around, arch })
}

/// Finds out how wide vectors are, then runs the block of channels that fits the registers.
struct Lanes<'a> {
    input: &'a Padded,
    cotangent: &'a Padded,
    around: usize,
    arch: Arch,
}

impl WithSimd for Lanes<'_> {
    type Output = Vec<f32>;

    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        if S::REGISTER_COUNT >= MANY_REGISTERS {
            self.run::<4, 4>(S::F32_LANES)
        } else {
            self.run::<4, 2>(S::F32_LANES)
        }
    }
}

/// Tiles that are looked at together: some rows of them in some frames of one of the batch.
#[derive(Clone, Copy)]
struct Part {
    item: usize,
    /// First frame of the output.
    frame: usize,
    frames: usize,
    /// First row of tiles.
    row: usize,
    rows: usize,
    /// Tiles side by side.
    across: usize,
    /// Tiles of a frame, in whole vectors.
    tiles: usize,
}

impl Lanes<'_> {
    /// `TO` output channels share the registers with `FROM` pairs of an input channel and a frame of the kernel.
    fn run<const TO: usize, const FROM: usize>(self, lanes: usize) -> Vec<f32> {
        let Self { input, cotangent, around, .. } = self;
        let frames = cotangent.frames - 2 * around;
        let times = input.frames + 1 - frames;
        let pairs = input.channels * times;
        let (across, down) = (input.width.div_ceil(OUT), input.height.div_ceil(OUT));
        let most = (POINT_BYTES / size_of::<f32>() / input.channels).max(LEAST_TILES);
        let rows = (most / across).clamp(1, down);
        let together = (most / (rows * across)).clamp(1, frames);
        let room = (rows * across).next_multiple_of(lanes) * PRODUCTS;
        let mut seen = vec![0.0; input.channels * room * (together + times - 1)];
        let channels = (KERNEL_BYTES / (pairs * PRODUCTS * size_of::<f32>())).max(TO) / TO * TO;
        let mut gradient = Vec::with_capacity(cotangent.channels * pairs * KERNEL * KERNEL);
        for first in (0..cotangent.channels).step_by(channels) {
            let own = first..cotangent.channels.min(first + channels);
            let mut asked = vec![0.0; own.len() * room * together];
            let mut sums = vec![0.0; PRODUCTS * own.len().next_multiple_of(TO) * pairs];
            for item in 0..input.batch {
                for row in (0..down).step_by(rows) {
                    for frame in (0..frames).step_by(together) {
                        let rows = rows.min(down - row);
                        let tiles = (rows * across).next_multiple_of(lanes);
                        let frames = together.min(frames - frame);
                        let part = Part { item, frame, frames, row, rows, across, tiles };
                        self.look(part, times, lanes, &mut seen);
                        self.look_back(part, own.clone(), lanes, &mut asked);
                        self.multiply::<TO, FROM>(part, own.len(), times, &seen, &asked, &mut sums);
                    }
                }
            }
            gradient.extend(kernels(&sums, own.len(), own.len().next_multiple_of(TO), input.channels, times));
        }
        gradient
    }

    /// The input's values at the points, `[from][36][frames][tiles]`.
    fn look(&self, part: Part, times: usize, lanes: usize, seen: &mut [f32]) {
        let Self { input, arch, .. } = *self;
        let frames = part.frames + times - 1;
        let each = PRODUCTS * frames * part.tiles;
        let length = Scratch::length(part.tiles, lanes);
        let channels = seen[..input.channels * each].par_chunks_mut(each).enumerate();
        channels.for_each_init(Vec::new, |room, (channel, out)| {
            room.resize(length, 0.0);
            for frame in 0..frames {
                let plane = input.index(part.item, part.frame + frame, 0) + channel * input.channel_length();
                let plane = &input.data[plane..plane + input.plane()];
                let stride = input.stride();
                let tiles = Tiles { plane, stride, width: stride, row: part.row, rows: part.rows, across: part.across };
                arch.dispatch(Channel { tiles, places: part.places(frame, frames), back: false, room, out });
            }
        });
    }

    /// The cotangent's values at the points, `[to][36][frames][tiles]`, of some output channels.
    fn look_back(&self, part: Part, own: Range<usize>, lanes: usize, asked: &mut [f32]) {
        let Self { cotangent, around, arch, .. } = *self;
        let each = PRODUCTS * part.frames * part.tiles;
        let length = Scratch::length(part.tiles, lanes);
        let channels = asked[..own.len() * each].par_chunks_mut(each).enumerate();
        channels.for_each_init(Vec::new, |room, (channel, out)| {
            room.resize(length, 0.0);
            for frame in 0..part.frames {
                let plane = cotangent.index(part.item, around + part.frame + frame, BORDER)
                    + (own.start + channel) * cotangent.channel_length();
                // Below the last row are zeros, then nothing.
                let plane = &cotangent.data[plane + BORDER..plane + (cotangent.height + BORDER) * cotangent.stride()];
                let (stride, width) = (cotangent.stride(), cotangent.width);
                let tiles = Tiles { plane, stride, width, row: part.row, rows: part.rows, across: part.across };
                arch.dispatch(Channel { tiles, places: part.places(frame, part.frames), back: true, room, out });
            }
        });
    }

    /// Adds the products of a part and `to` output channels at the points: `[36][to, in whole blocks][from][times]`.
    fn multiply<const TO: usize, const FROM: usize>(
        &self,
        part: Part,
        to: usize,
        times: usize,
        seen: &[f32],
        asked: &[f32],
        sums: &mut [f32],
    ) {
        let Self { input, arch, .. } = *self;
        let pairs = input.channels * times;
        let (frames, length) = (part.frames + times - 1, part.frames * part.tiles);
        let blocks = sums.len() / (PRODUCTS * TO * pairs);
        sums.par_chunks_mut(TO * pairs).enumerate().for_each(|(task, sums)| {
            let (point, block) = (task / blocks, task % blocks);
            // Channels beyond the last one repeat it; nobody reads their sums.
            let asked = std::array::from_fn(|index| {
                let channel = (block * TO + index).min(to - 1);
                &asked[(channel * PRODUCTS + point) * length..][..length]
            });
            let seen = |pair: usize| {
                let (channel, time) = (pair / times, pair % times);
                &seen[(channel * PRODUCTS + point) * frames * part.tiles + time * part.tiles..][..length]
            };
            for first in (0..pairs).step_by(FROM) {
                let seen = std::array::from_fn(|pair| seen((first + pair).min(pairs - 1)));
                let found: [[f32; FROM]; TO] = arch.dispatch(Products { asked, seen });
                for (sums, found) in sums.chunks_mut(pairs).zip(found) {
                    sums[first..].iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
                }
            }
        });
    }
}

impl Part {
    /// Where a frame's tiles lie among those of `frames`.
    fn places(&self, frame: usize, frames: usize) -> Places {
        Places { point: frames * self.tiles, tiles: self.tiles, group: 0, first: frame * self.tiles }
    }
}

/// A channel of a frame.
struct Channel<'a> {
    tiles: Tiles<'a>,
    places: Places,
    /// From outputs, not inputs.
    back: bool,
    room: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { tiles, places, back, room, out } = self;
        let count = places.tiles;
        let mut scratch = Scratch::new(room, count, S::F32_LANES);
        if back {
            look_back(simd, &tiles, &mut scratch, &places, out);
        } else {
            look(simd, &tiles, count, &mut scratch, &places, out);
        }
    }
}

/// Sums of the products of `TO` rows of cotangents and `FROM` rows of inputs, all of one length in whole vectors.
struct Products<'a, const TO: usize, const FROM: usize> {
    asked: [&'a [f32]; TO],
    seen: [&'a [f32]; FROM],
}

impl<const TO: usize, const FROM: usize> WithSimd for Products<'_, TO, FROM> {
    type Output = [[f32; FROM]; TO];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let Self { asked, seen } = self;
        let mut acc = [[simd.splat_f32s(0.0); FROM]; TO];
        for place in (0..asked[0].len()).step_by(S::F32_LANES) {
            let mut x = [simd.splat_f32s(0.0); FROM];
            for (x, seen) in x.iter_mut().zip(seen) {
                *x = vector(simd, &seen[place..place + S::F32_LANES]);
            }
            for (acc, asked) in acc.iter_mut().zip(asked) {
                let y = vector(simd, &asked[place..place + S::F32_LANES]);
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = simd.mul_add_e_f32s(y, x, *acc);
                }
            }
        }
        let mut sums = [[0.0; FROM]; TO];
        for (sums, acc) in sums.iter_mut().zip(acc) {
            for (sum, acc) in sums.iter_mut().zip(acc) {
                *sum = simd.reduce_sum_f32s(acc);
            }
        }
        sums
    }
}

/// `[to, from, times, 3, 3]` from the sums at the points, `[36][whole][from][times]`, where `whole` are the output channels in whole
/// blocks.
fn kernels(sums: &[f32], to: usize, whole: usize, from: usize, times: usize) -> Vec<f32> {
    let pairs = from * times;
    let mut kernels = vec![0.0; to * pairs * KERNEL * KERNEL];
    kernels.par_chunks_mut(pairs * KERNEL * KERNEL).enumerate().for_each(|(to, kernels)| {
        for (pair, kernel) in kernels.chunks_exact_mut(KERNEL * KERNEL).enumerate() {
            let at = |point: usize| sums[(point * whole + to) * pairs + pair];
            let rows: [[f32; KERNEL]; POINTS] =
                std::array::from_fn(|y| to_kernel(std::array::from_fn(|x| at(y * POINTS + x))));
            for x in 0..KERNEL {
                for (y, value) in to_kernel(rows.map(|row| row[x])).into_iter().enumerate() {
                    kernel[y * KERNEL + x] = value;
                }
            }
        }
    });
    kernels
}
