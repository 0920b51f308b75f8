//! The gradient of `silu(norm(x) * gain + offset)`.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::host::moments::moments;
use crate::host::padded::{Modulation, source_frame};
use crate::host::silu::sigmoid;

/// A norm and what is multiplied and added after it, kept for the way back.
pub(super) struct Normalised {
    /// `[batch, channels, frames, height, width]`
    x: Vec<f32>,
    shape: [usize; 5],
    groups: usize,
    /// Of every group of every item.
    mean: Vec<f32>,
    /// One over the deviation of every group of every item.
    scale: Vec<f32>,
    /// After the norm; `[batch, channels, ..]`.
    after: Modulation,
}

/// Cotangents of what went in.
pub(super) struct Cotangents {
    /// As `x`.
    pub(super) x: Vec<f32>,
    /// As the gain, which may be smaller than `x`.
    pub(super) gain: Vec<f32>,
    /// As the offset.
    pub(super) offset: Vec<f32>,
}

impl Normalised {
    /// The norm of `x`; `after` is what it is multiplied with and what is added to that.
    pub(super) fn new(x: Vec<f32>, shape: [usize; 5], groups: usize, epsilon: f64, after: Modulation) -> Self {
        let length = shape[1..].iter().product::<usize>() / groups;
        let (mean, variance) = moments(&x, length);
        let scale = variance.into_iter().map(|v| (f64::from(v) + epsilon).sqrt().recip() as f32).collect();
        Self { x, shape, groups, mean, scale, after }
    }

    /// Frames, height and width of gain and offset.
    pub(super) fn sizes(&self) -> [usize; 3] {
        self.after.sizes
    }

    pub(super) fn x(&self) -> &[f32] {
        &self.x
    }

    /// Gain and offset of `x` itself.
    pub(super) fn modulation(&self) -> Modulation {
        let cells = self.cells();
        let mut whole =
            Modulation { gain: self.after.gain.clone(), offset: self.after.offset.clone(), sizes: self.after.sizes };
        for (channel, (gain, offset)) in whole.gain.chunks_mut(cells).zip(whole.offset.chunks_mut(cells)).enumerate() {
            let (mean, scale) = self.moments(channel);
            for (gain, offset) in gain.iter_mut().zip(offset) {
                *gain *= scale;
                *offset -= mean * *gain;
            }
        }
        whole
    }

    /// Values of a channel's gain.
    fn cells(&self) -> usize {
        self.after.sizes.iter().product()
    }

    /// Mean and scale of a channel, counted over all items.
    fn moments(&self, channel: usize) -> (f32, f32) {
        let group = channel * self.groups / self.shape[1];
        (self.mean[group], self.scale[group])
    }

    /// Cotangents from that of the result, of which every channel begins with `skipped` frames that are not looked at.
    /// It is overwritten.
    pub(super) fn backward(&self, mut cotangent: Vec<f32>, skipped: usize) -> Cotangents {
        let [batch, channels, frames, height, width] = self.shape;
        let arch = Arch::new();
        let (length, plane, cells) = (frames * height * width, height * width, self.cells());
        let whole = self.modulation();
        let mut gain = vec![0.0; batch * channels * cells];
        let mut offset = gain.clone();
        // Before the activation, in the place of the cotangent; and the sums of a norm's gradient by channels.
        let sums: Vec<(f64, f64)> = cotangent
            .par_chunks_mut(skipped * plane + length)
            .zip(self.x.par_chunks(length))
            .zip(gain.par_chunks_mut(cells).zip(offset.par_chunks_mut(cells)))
            .enumerate()
            .map(|(channel, ((cotangent, x), (to_gain, to_offset)))| {
                let (mean, scale) = self.moments(channel);
                let (mut wide_gain, mut wide_offset) = (vec![0.0; width], vec![0.0; width]);
                for (rows, cells) in self.rows() {
                    let small = channel * self.cells() + cells.start..channel * self.cells() + cells.end;
                    widen(&whole.gain[small.clone()], &mut wide_gain);
                    widen(&whole.offset[small], &mut wide_offset);
                    let (mut products, mut own) = (vec![0.0; width], vec![0.0; width]);
                    for row in rows {
                        let cotangent = &mut cotangent[skipped * plane + row * width..][..width];
                        let x = &x[row * width..(row + 1) * width];
                        let (gain, offset, sums) =
                            (&wide_gain[..], &wide_offset[..], (&mut products[..], &mut own[..]));
                        arch.dispatch(SiluGradient { x, gain, offset, mean, cotangent, sums });
                    }
                    add_narrow(&products, &mut to_gain[cells.clone()]);
                    add_narrow(&own, &mut to_offset[cells]);
                }
                to_gain.iter_mut().for_each(|gain| *gain *= scale);
                let after = &self.after.gain[channel * cells..(channel + 1) * cells];
                let sum = |of: &[f32]| of.iter().zip(after).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
                (sum(to_offset), sum(to_gain))
            })
            .collect();
        let of_group = channels / self.groups;
        let count = (of_group * length) as f64;
        let means: Vec<(f64, f64)> = sums
            .chunks(of_group)
            .map(|sums| sums.iter().fold((0.0, 0.0), |all, own| (all.0 + own.0 / count, all.1 + own.1 / count)))
            .collect();
        let mut x = vec![0.0; batch * channels * length];
        x.par_chunks_mut(length).enumerate().for_each(|(channel, out)| {
            let (mean, scale) = self.moments(channel);
            let (constant, slope) = means[channel / of_group];
            let (constant, slope) = (-scale * constant as f32, -scale * scale * slope as f32);
            let x = &self.x[channel * length..(channel + 1) * length];
            let cotangent = &cotangent[channel * (skipped * plane + length) + skipped * plane..][..length];
            let mut gain = vec![0.0; width];
            for (rows, cells) in self.rows() {
                widen(&whole.gain[channel * self.cells() + cells.start..channel * self.cells() + cells.end], &mut gain);
                for row in rows {
                    let row = row * width..(row + 1) * width;
                    let (x, cotangent, out, gain) =
                        (&x[row.clone()], &cotangent[row.clone()], &mut out[row], &gain[..]);
                    arch.dispatch(
                        #[inline(always)]
                        || {
                            for (((out, x), own), gain) in out.iter_mut().zip(x).zip(cotangent).zip(gain) {
                                *out = own * gain + ((x - mean) * slope + constant);
                            }
                        },
                    );
                }
            }
        });
        Cotangents { x, gain, offset }
    }

    /// Rows of a channel that share a row of gains, with the places of those.
    fn rows(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
        let [_, _, frames, height, _] = self.shape;
        let [small_frames, small_height, small_width] = self.after.sizes;
        let factor = height / small_height;
        (0..frames).flat_map(move |frame| {
            let small_frame = source_frame(frame, frames, small_frames);
            (0..small_height).map(move |small_row| {
                let row = frame * height + small_row * factor;
                let cell = (small_frame * small_height + small_row) * small_width;
                (row..row + factor, cell..cell + small_width)
            })
        })
    }
}

/// Repeats values along a row.
fn widen(narrow: &[f32], wide: &mut [f32]) {
    let factor = wide.len() / narrow.len();
    wide.chunks_mut(factor).zip(narrow).for_each(|(wide, value)| wide.fill(*value));
}

/// Adds up what [`widen`] had repeated.
fn add_narrow(wide: &[f32], narrow: &mut [f32]) {
    let factor = wide.len() / narrow.len();
    narrow.iter_mut().zip(wide.chunks(factor)).for_each(|(sum, wide)| *sum += wide.iter().sum::<f32>());
}

/// A row on the way back through SiLU: of `z = x * gain + offset`, the cotangent of `silu(z)` becomes that of `z`.
struct SiluGradient<'a> {
    x: &'a [f32],
    gain: &'a [f32],
    offset: &'a [f32],
    mean: f32,
    cotangent: &'a mut [f32],
    /// What grows by the result times `x - mean`, and by the result.
    sums: (&'a mut [f32], &'a mut [f32]),
}

impl WithSimd for SiluGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mean = simd.splat_f32s(self.mean);
        let (x, x_rest) = S::as_simd_f32s(self.x);
        let (gain, gain_rest) = S::as_simd_f32s(self.gain);
        let (offset, offset_rest) = S::as_simd_f32s(self.offset);
        let (cotangent, cotangent_rest) = S::as_mut_simd_f32s(self.cotangent);
        let (products, products_rest) = S::as_mut_simd_f32s(self.sums.0);
        let (owns, owns_rest) = S::as_mut_simd_f32s(self.sums.1);
        let sums = products.iter_mut().zip(owns);
        for ((((cotangent, x), gain), offset), (product, sum)) in
            cotangent.iter_mut().zip(x).zip(gain).zip(offset).zip(sums)
        {
            let own = before_silu(simd, simd.mul_add_e_f32s(*x, *gain, *offset), *cotangent);
            *cotangent = own;
            *product = simd.mul_add_e_f32s(own, simd.sub_f32s(*x, mean), *product);
            *sum = simd.add_f32s(own, *sum);
        }
        let load = |rest: &[f32]| simd.partial_load_f32s(rest);
        let x = load(x_rest);
        let z = simd.mul_add_e_f32s(x, load(gain_rest), load(offset_rest));
        let own = before_silu(simd, z, load(cotangent_rest));
        simd.partial_store_f32s(cotangent_rest, own);
        let product = simd.mul_add_e_f32s(own, simd.sub_f32s(x, mean), load(products_rest));
        simd.partial_store_f32s(products_rest, product);
        let sum = simd.add_f32s(own, load(owns_rest));
        simd.partial_store_f32s(owns_rest, sum);
    }
}

/// The cotangent of `z` from that of `silu(z)`.
#[inline(always)]
fn before_silu<S: Simd>(simd: S, z: S::f32s, cotangent: S::f32s) -> S::f32s {
    let (s, one) = (sigmoid(simd, z), simd.splat_f32s(1.0));
    let slope = simd.mul_add_e_f32s(z, simd.sub_f32s(one, s), one);
    simd.mul_f32s(cotangent, simd.mul_f32s(s, slope))
}
