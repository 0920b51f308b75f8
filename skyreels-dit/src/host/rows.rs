//! Norms and gates of rows, and their gradients, each in one pass.

use burn::tensor::{DType, Device, Tensor};
use pulp::Arch;
use rayon::prelude::*;

use super::{elements, tensor};

/// Numbers a thread takes at a time.
const CHUNK: usize = 1 << 14;
/// Partial sums of a row, so that they fill vectors.
const LANES: usize = 16;

/// Which rows share a vector: of every batch entry the first `split`, and the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    batch: usize,
    rows: usize,
    width: usize,
    split: usize,
}

impl Rows {
    /// Those of `x`, `[batch, rows, width]`.
    pub(crate) fn of(x: &Tensor<3>, split: usize) -> Self {
        let [batch, rows, width] = x.dims();
        Self { batch, rows, width, split: split.min(rows) }
    }

    /// Starts and lengths, in numbers, of the rows that share a vector: vector 0 of entry 0, vector 1 of entry 0, and so on.
    fn parts(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.batch).flat_map(move |entry| {
            let start = entry * self.rows * self.width;
            let (first, all) = (self.split * self.width, self.rows * self.width);
            [(start, first), (start + first, all - first)]
        })
    }

    /// Whole rows that a thread takes, in numbers.
    fn chunk(self) -> usize {
        self.width * (CHUNK / self.width.max(1)).max(1)
    }

    fn vectors(self, sums: Vec<f32>, device: &Device) -> Tensor<3> {
        tensor(sums, [self.batch, 2, self.width], DType::F32, device)
    }
}

/// `norm(x) gain + offset`.
///
/// # Shapes
/// `x` `[batch, rows, width]`, in and out; `gain` and `offset` `[batch, 2, width]`, f32.
pub(crate) fn norm_rows(x: Tensor<3>, gain: Tensor<3>, offset: Tensor<3>, split: usize, epsilon: f64) -> Tensor<3> {
    let (rows, dtype, device) = (Rows::of(&x, split), x.dtype(), x.device());
    let (mut values, gain, offset) = (elements(x), elements(gain), elements(offset));
    let width = rows.width;
    for ((start, length), (gain, offset)) in rows.parts().zip(gain.chunks_exact(width).zip(offset.chunks_exact(width)))
    {
        values[start..][..length].par_chunks_mut(rows.chunk()).for_each(|chunk| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for row in chunk.chunks_exact_mut(width) {
                        let (mean, scale) = statistics(row, epsilon as f32);
                        for ((x, gain), offset) in row.iter_mut().zip(gain).zip(offset) {
                            *x = ((*x - mean) * scale).mul_add(*gain, *offset);
                        }
                    }
                },
            );
        });
    }
    tensor(values, [rows.batch, rows.rows, width], dtype, &device)
}

/// Gradients of `sum(norm_rows(x, gain, offset) * cotangent)` with respect to `x`, `gain` and `offset`.
///
/// With `y` the normalised row and `g` its cotangent, that of `x` is `(g - mean(g) - y mean(g y)) / deviation`.
///
/// # Shapes
/// As [`norm_rows`].
pub(crate) fn norm_rows_gradients(
    x: Tensor<3>,
    gain: Tensor<3>,
    cotangent: Tensor<3>,
    split: usize,
    epsilon: f64,
) -> [Tensor<3>; 3] {
    let (rows, dtype, device) = (Rows::of(&x, split), x.dtype(), x.device());
    let (values, gain, mut found) = (elements(x), elements(gain), elements(cotangent));
    let width = rows.width;
    let (mut to_gain, mut to_offset) = (Vec::with_capacity(gain.len()), Vec::with_capacity(gain.len()));
    for ((start, length), gain) in rows.parts().zip(gain.chunks_exact(width)) {
        let chunks = values[start..][..length].par_chunks(rows.chunk());
        let sums = chunks.zip(found[start..][..length].par_chunks_mut(rows.chunk())).map(|(values, found)| {
            let mut sums = vec![0.0; 2 * width];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let (to_gain, to_offset) = sums.split_at_mut(width);
                    for (row, found) in values.chunks_exact(width).zip(found.chunks_exact_mut(width)) {
                        norm_row_gradients(row, gain, found, [to_gain, to_offset], epsilon as f32);
                    }
                },
            );
            sums
        });
        let sums = added(sums.collect(), 2 * width);
        to_gain.extend_from_slice(&sums[..width]);
        to_offset.extend_from_slice(&sums[width..]);
    }
    let found = tensor(found, [rows.batch, rows.rows, width], dtype, &device);
    [found, rows.vectors(to_gain, &device), rows.vectors(to_offset, &device)]
}

/// `found` is the cotangent of the result, then that of the row.
#[inline(always)]
fn norm_row_gradients(row: &[f32], gain: &[f32], found: &mut [f32], sums: [&mut [f32]; 2], epsilon: f32) {
    let (mean, scale) = statistics(row, epsilon);
    let [to_gain, to_offset] = sums;
    let normed = |x: f32| (x - mean) * scale;
    for (((x, cotangent), to_gain), to_offset) in row.iter().zip(&*found).zip(to_gain).zip(to_offset) {
        *to_gain = normed(*x).mul_add(*cotangent, *to_gain);
        *to_offset += *cotangent;
    }
    found.iter_mut().zip(gain).for_each(|(cotangent, gain)| *cotangent *= gain);
    let count = row.len() as f32;
    let level = sum(found, row, |cotangent, _| cotangent) / count;
    let slope = sum(found, row, |cotangent, x| cotangent * normed(x)) / count;
    for (cotangent, x) in found.iter_mut().zip(row) {
        *cotangent = scale * (*cotangent - level - normed(*x) * slope);
    }
}

/// `x + gate y`.
///
/// # Shapes
/// `x` and `y` `[batch, rows, width]`, in and out; `gate` `[batch, 2, width]`.
pub(crate) fn gate_rows(x: Tensor<3>, y: Tensor<3>, gate: Tensor<3>, split: usize) -> Tensor<3> {
    let (rows, dtype, device) = (Rows::of(&x, split), x.dtype(), x.device());
    let (mut values, added, gate) = (elements(x), elements(y), elements(gate));
    let width = rows.width;
    for ((start, length), gate) in rows.parts().zip(gate.chunks_exact(width)) {
        let chunks = values[start..][..length].par_chunks_mut(rows.chunk());
        chunks.zip(added[start..][..length].par_chunks(rows.chunk())).for_each(|(values, added)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (row, added) in values.chunks_exact_mut(width).zip(added.chunks_exact(width)) {
                        for ((x, y), gate) in row.iter_mut().zip(added).zip(gate) {
                            *x = gate.mul_add(*y, *x);
                        }
                    }
                },
            );
        });
    }
    tensor(values, [rows.batch, rows.rows, width], dtype, &device)
}

/// Gradients of `sum(gate_rows(x, y, gate) * cotangent)` with respect to `y` and `gate`.
///
/// # Shapes
/// As [`gate_rows`].
pub(crate) fn gate_rows_gradients(y: Tensor<3>, gate: Tensor<3>, cotangent: Tensor<3>, split: usize) -> [Tensor<3>; 2] {
    let (rows, dtype, device) = (Rows::of(&y, split), y.dtype(), y.device());
    let (mut values, gate, cotangent) = (elements(y), elements(gate), elements(cotangent));
    let width = rows.width;
    let mut to_gate = Vec::with_capacity(gate.len());
    for ((start, length), gate) in rows.parts().zip(gate.chunks_exact(width)) {
        let chunks = values[start..][..length].par_chunks_mut(rows.chunk());
        let sums = chunks.zip(cotangent[start..][..length].par_chunks(rows.chunk())).map(|(values, cotangent)| {
            let mut sums = vec![0.0; width];
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (row, cotangent) in values.chunks_exact_mut(width).zip(cotangent.chunks_exact(width)) {
                        for (((y, cotangent), gate), sum) in row.iter_mut().zip(cotangent).zip(gate).zip(&mut sums) {
                            *sum = y.mul_add(*cotangent, *sum);
                            *y = gate * cotangent;
                        }
                    }
                },
            );
            sums
        });
        to_gate.extend_from_slice(&added(sums.collect(), width));
    }
    [tensor(values, [rows.batch, rows.rows, width], dtype, &device), rows.vectors(to_gate, &device)]
}

/// In the order of the chunks: the same sums whatever the threads do.
fn added(chunks: Vec<Vec<f32>>, length: usize) -> Vec<f32> {
    let mut sums = vec![0.0; length];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, part)| *sum += part);
    }
    sums
}

/// Mean of a row, and one over its deviation.
#[inline(always)]
fn statistics(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f32;
    let mean = sum(row, row, |x, _| x) / count;
    let variance = sum(row, row, |x, _| (x - mean) * (x - mean)) / count;
    (mean, (variance + epsilon).sqrt().recip())
}

#[inline(always)]
fn sum(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let ((a, rest), (b, other)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += of(*a, *b);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().zip(other).map(|(a, b)| of(*a, *b)).sum::<f32>()
}
