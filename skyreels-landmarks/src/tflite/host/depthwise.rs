//! Convolutions of every channel on its own.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::at_least;

/// Where a kernel stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::tflite) struct Window {
    pub(in crate::tflite) kernel: [usize; 2],
    pub(in crate::tflite) stride: [usize; 2],
    /// Zeros above and on the left.
    pub(in crate::tflite) padding: [usize; 2],
    /// Rows and columns of the result.
    pub(in crate::tflite) out: [usize; 2],
}

/// Every channel of the result on its own, from the plane that it sees; weight `[kernel height, kernel width, channels]`.
pub(super) fn depthwise(
    weight: &[f32],
    bias: &[f32],
    window: Window,
    plane: impl Fn(usize) -> Phases + Sync,
    out: &mut [f32],
) {
    let arch = Arch::new();
    let (pixels, taps) = (window.out[0] * window.out[1], window.kernel[0] * window.kernel[1]);
    let channels = out.par_chunks_mut(pixels).enumerate();
    channels.with_min_len(at_least(pixels * taps)).for_each(|(channel, out)| {
        let weight: Vec<f32> = weight.iter().skip(channel).step_by(bias.len()).copied().collect();
        let (plane, bias) = (&plane(channel), bias[channel]);
        arch.dispatch(Channel { taps: Taps { weight: &weight, bias, plane, window }, out });
    });
}

/// A channel with zeros around it, its columns sorted by their place in a stride, so that the pixels under one weight are
/// neighbours.
pub(super) struct Phases {
    data: Vec<f32>,
    stride: usize,
    /// Columns of each phase.
    columns: usize,
}

impl Phases {
    pub(super) fn new(plane: &[f32], width: usize, window: Window) -> Self {
        let stride = window.stride[1];
        let [height, padded_width] =
            [0, 1].map(|axis| (window.out[axis] - 1) * window.stride[axis] + window.kernel[axis]);
        let columns = padded_width.div_ceil(stride);
        let mut data = vec![0.0; height * stride * columns];
        let rows = data.chunks_exact_mut(stride * columns).skip(window.padding[0]);
        for (to, from) in rows.zip(plane.chunks_exact(width)) {
            // What no window reaches is left out.
            let from = &from[..width.min(padded_width - window.padding[1])];
            for phase in 0..stride {
                let skipped = (phase + stride - window.padding[1] % stride) % stride;
                let to = &mut to[phase * columns + (window.padding[1] + skipped) / stride..];
                to.iter_mut().zip(from.iter().skip(skipped).step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        }
        Self { data, stride, columns }
    }

    /// The pixels of a row that column `kx` of the kernel meets.
    #[inline(always)]
    fn row(&self, y: usize, kx: usize) -> &[f32] {
        let phase = (y * self.stride + kx % self.stride) * self.columns;
        &self.data[phase + kx / self.stride..phase + self.columns]
    }
}

/// One channel of a depthwise convolution.
struct Channel<'a> {
    taps: Taps<'a>,
    out: &'a mut [f32],
}

/// What a channel of a depthwise convolution sums up; its weights row by row.
#[derive(Clone, Copy)]
struct Taps<'a> {
    weight: &'a [f32],
    bias: f32,
    plane: &'a Phases,
    window: Window,
}

impl WithSimd for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { taps, out } = self;
        let lanes = S::F32_LANES;
        for (y, out) in out.chunks_exact_mut(taps.window.out[1]).enumerate() {
            let whole = out.len() / lanes * lanes;
            let (vectors, rest) = out.split_at_mut(whole);
            for (index, out) in S::as_mut_simd_f32s(vectors).0.iter_mut().enumerate() {
                let first = index * lanes;
                *out = taps.sum(simd, y, |row| S::as_simd_f32s(&row[first..first + lanes]).0[0]);
            }
            if !rest.is_empty() {
                let sum = taps.sum(simd, y, |row| simd.partial_load_f32s(&row[whole..whole + rest.len()]));
                simd.partial_store_f32s(rest, sum);
            }
        }
    }
}

impl Taps<'_> {
    /// Bias, then one fused product after the other, column by column.
    #[inline(always)]
    fn sum<S: Simd>(&self, simd: S, y: usize, load: impl Fn(&[f32]) -> S::f32s) -> S::f32s {
        let Window { kernel: [kernel_height, kernel_width], stride, .. } = self.window;
        let mut sum = simd.splat_f32s(self.bias);
        for kx in 0..kernel_width {
            for ky in 0..kernel_height {
                let weight = simd.splat_f32s(self.weight[ky * kernel_width + kx]);
                sum = simd.mul_add_f32s(load(self.plane.row(y * stride[0] + ky, kx)), weight, sum);
            }
        }
        sum
    }
}
