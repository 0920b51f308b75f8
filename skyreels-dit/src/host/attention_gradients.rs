//! The way back through attention, some whole rows of scores at a time, which are computed again
//! (Dao et al., 2022, appendix B.2).

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{Aligned, exp2_nonpositive};
use super::products::{Head, MANY_REGISTERS, ROWS, VECTORS, add_product, product};
use super::{elements, tensor};

/// Bytes of a row block's scores and their cotangents: they stay in the second-level cache.
const SCORE_BYTES: usize = 512 * 1024;
/// Most rows of a block.
const MOST_ROWS: usize = 16 * ROWS;

/// Cotangents of queries, keys and values of `softmax(query key^T / sqrt(head_dim)) value` from that of the result.
///
/// # Shapes
/// `[batch, tokens, heads, head_dim]` in and out.
pub(crate) fn tiled_attention_gradients(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    cotangent: Tensor<4>,
) -> [Tensor<4>; 3] {
    let (dtype, device) = (query.dtype(), query.device());
    let [batch, queries, heads, width] = query.dims();
    let [_, keys, _, _] = key.dims();
    let [query, key, value, cotangent] = [query, key, value, cotangent].map(elements);
    let token = heads * width;
    let mut results = [queries, keys, keys].map(|tokens| vec![0.0; batch * tokens * token]);
    let found: Vec<[Aligned; 3]> = (0..batch * heads)
        .into_par_iter()
        .map(|number| {
            let (entry, index) = (number / heads, number % heads);
            let head = |values: &'_ [f32], tokens: usize| {
                let values = &values[entry * tokens * token..][..tokens * token];
                Head { values, heads, width, index }.rows()
            };
            let panels = |values: &'_ [f32]| {
                let values = &values[entry * keys * token..][..keys * token];
                Head { values, heads, width, index }.panels()
            };
            let mut query = head(&query, queries);
            let scale = (width as f32).sqrt().recip();
            query.get_mut().iter_mut().for_each(|value| *value *= scale);
            let (key_panels, value_panels) = (panels(&key), panels(&value));
            let (key, cotangent) = (head(&key, keys), head(&cotangent, queries));
            Arch::new().dispatch(Task { queries, keys, width, query, key, cotangent, key_panels, value_panels })
        })
        .collect();
    for (number, found) in found.iter().enumerate() {
        let (entry, index) = (number / heads, number % heads);
        for ((result, found), tokens) in results.iter_mut().zip(found).zip([queries, keys, keys]) {
            let rows = result[entry * tokens * token..][..tokens * token].chunks_exact_mut(token);
            let padded = found.get().len() / tokens.next_multiple_of(ROWS).max(1);
            for (to, from) in rows.zip(found.get().chunks_exact(padded)) {
                to[index * width..][..width].copy_from_slice(&from[..width]);
            }
        }
    }
    let [query, key, value] = results;
    let shaped = |values, tokens| tensor(values, [batch, tokens, heads, width], dtype, &device);
    [shaped(query, queries), shaped(key, keys), shaped(value, keys)]
}

/// One head of one entry; rows are as [`Head::rows`] makes them, queries scaled.
struct Task {
    queries: usize,
    keys: usize,
    width: usize,
    query: Aligned,
    key: Aligned,
    cotangent: Aligned,
    key_panels: Aligned,
    value_panels: Aligned,
}

impl WithSimd for Task {
    /// Cotangents of queries, keys and values, in rows.
    type Output = [Aligned; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        if S::REGISTER_COUNT >= MANY_REGISTERS {
            self.run::<S, { VECTORS[0] }>(simd)
        } else {
            self.run::<S, { VECTORS[1] }>(simd)
        }
    }
}

impl Task {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) -> [Aligned; 3] {
        let Self { queries, keys, width, .. } = self;
        let padded = width.next_multiple_of(S::F32_LANES);
        let vectors = padded / S::F32_LANES;
        let stride = keys.next_multiple_of(V * S::F32_LANES);
        let block = (SCORE_BYTES / (2 * size_of::<f32>() * stride.max(1)) / ROWS).clamp(1, MOST_ROWS / ROWS) * ROWS;
        // A product may look at rows of keys beyond the last one: at the next row of scores, or at nothing.
        let mut weights = Aligned::zeros(block * stride + ROWS);
        let mut slopes = Aligned::zeros(block * stride + ROWS);
        let mut results = [queries, keys, keys].map(|tokens| Aligned::zeros(tokens.next_multiple_of(ROWS) * padded));
        let [to_query, to_key, to_value] = &mut results;
        let (key, _) = S::as_simd_f32s(self.key.get());
        for first in (0..queries).step_by(block) {
            let count = block.min(queries - first);
            let rows = count.next_multiple_of(ROWS);
            let query = &self.query.get()[first * padded..][..rows * padded];
            let cotangent = &self.cotangent.get()[first * padded..][..rows * padded];
            scores::<S, V>(simd, query, padded, self.key_panels.get(), width, weights.get_mut(), stride);
            scores::<S, V>(simd, cotangent, padded, self.value_panels.get(), width, slopes.get_mut(), stride);
            let of_rows = weights.get_mut().chunks_exact_mut(stride).zip(slopes.get_mut().chunks_exact_mut(stride));
            for (row, (weights, slopes)) in of_rows.take(rows).enumerate() {
                if row < count {
                    soften(simd, weights, slopes, keys);
                } else {
                    weights.fill(0.0);
                    slopes.fill(0.0);
                }
            }
            let sums = [(&weights, cotangent, &mut *to_value), (&slopes, query, &mut *to_key)];
            for (left, right, result) in sums {
                let (right, _) = S::as_simd_f32s(right);
                let (result, _) = S::as_mut_simd_f32s(result.get_mut());
                for (at, result) in result.chunks_exact_mut(ROWS * vectors).enumerate() {
                    add_product::<S, V, true>(simd, result, vectors, &left.get()[at * ROWS..], stride, right, rows);
                }
            }
            let (result, _) = S::as_mut_simd_f32s(&mut to_query.get_mut()[first * padded..][..rows * padded]);
            for (at, result) in result.chunks_exact_mut(ROWS * vectors).enumerate() {
                let left = &slopes.get()[at * ROWS * stride..];
                add_product::<S, V, false>(simd, result, vectors, left, stride, key, keys);
            }
        }
        let scale = (width as f32).sqrt().recip();
        to_query.get_mut().iter_mut().for_each(|value| *value *= scale);
        results
    }
}

/// Rows times panels of keys or values.
#[inline(always)]
fn scores<S: Simd, const V: usize>(
    simd: S,
    left: &[f32],
    padded: usize,
    panels: &[f32],
    width: usize,
    scores: &mut [f32],
    stride: usize,
) {
    let (panels, _) = S::as_simd_f32s(panels);
    let (scores, _) = S::as_mut_simd_f32s(scores);
    let stride = stride / S::F32_LANES;
    for (number, panel) in panels.chunks_exact(V * width).enumerate() {
        for (first, left) in left.chunks_exact(ROWS * padded).enumerate() {
            let sums = product::<S, V>(simd, left, padded, panel, V, width);
            for (i, sums) in sums.iter().enumerate() {
                scores[(first * ROWS + i) * stride + number * V..][..V].copy_from_slice(sums);
            }
        }
    }
}

/// A row of scores to weights `P`, and of the weights' cotangents `dP` to those of the scores, `P (dP - sum(P dP))`.
#[inline(always)]
fn soften<S: Simd>(simd: S, scores: &mut [f32], slopes: &mut [f32], keys: usize) {
    scores[keys..].fill(f32::NEG_INFINITY);
    let (scores, _) = S::as_mut_simd_f32s(scores);
    let (slopes, _) = S::as_mut_simd_f32s(slopes);
    let greatest = scores.iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |most, score| simd.max_f32s(most, *score));
    // Powers of two are cheaper than powers of e.
    let unit = simd.splat_f32s(std::f32::consts::LOG2_E);
    let shift = simd.splat_f32s(-simd.reduce_max_f32s(greatest) * std::f32::consts::LOG2_E);
    let (mut total, mut weighted) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for (score, slope) in scores.iter_mut().zip(slopes.iter()) {
        // Rounding may make the greatest one a little more than nothing.
        let power = simd.min_f32s(simd.mul_add_f32s(*score, unit, shift), simd.splat_f32s(0.0));
        *score = exp2_nonpositive(simd, power);
        total = simd.add_f32s(total, *score);
        weighted = simd.mul_add_f32s(*score, *slope, weighted);
    }
    let share = simd.reduce_sum_f32s(total).recip();
    let mean = simd.splat_f32s(simd.reduce_sum_f32s(weighted) * share);
    let share = simd.splat_f32s(share);
    for (score, slope) in scores.iter_mut().zip(slopes.iter_mut()) {
        *score = simd.mul_f32s(*score, share);
        *slope = simd.mul_f32s(*score, simd.sub_f32s(*slope, mean));
    }
}
