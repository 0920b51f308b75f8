//! Attention in tiles that stay in the processor's caches, with a running softmax
//! (Dao et al., FlashAttention).

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{Aligned, exp2_nonpositive};
use super::products::{Columns, Head, MANY_REGISTERS, ROWS, VECTORS, add_product, product};
use super::{elements, tensor};

/// Query rows of a task, most first: the more, the less often keys and values are read again; the
/// fewer, the better many cores share them. Scores, queries and results of a tile stay in the
/// second-level cache.
const QUERIES: [usize; 3] = [32 * ROWS, 16 * ROWS, 8 * ROWS];
/// Tasks per thread below which smaller tasks are better.
const TASKS_PER_THREAD: usize = 4;
/// Keys of a tile.
const KEYS: usize = 256;

/// Sizes shared by all tasks.
#[derive(Clone, Copy)]
struct Sizes {
    heads: usize,
    keys: usize,
    width: usize,
}

/// # Shapes
/// `[batch, tokens, heads, head_dim]` in and out.
pub(crate) fn tiled_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let [batch, queries, heads, width] = query.dims();
    let [_, keys, _, _] = key.dims();
    let (dtype, device) = (query.dtype(), query.device());
    let sizes = Sizes { heads, keys, width };
    let (query, key, value) = (elements(query), elements(key), elements(value));
    let mut result = vec![0.0; batch * queries * heads * width];
    if result.is_empty() || keys == 0 {
        return tensor(result, [batch, queries, heads, width], dtype, &device);
    }
    let token = heads * width;
    let shared = |rows: &&usize| queries.div_ceil(**rows) >= TASKS_PER_THREAD * rayon::current_num_threads();
    let rows = *QUERIES.iter().find(shared).unwrap_or(&QUERIES[2]);
    for entry in 0..batch {
        let entry_keys = entry * keys * token..(entry + 1) * keys * token;
        let packed = pack(sizes, &key[entry_keys.clone()], &value[entry_keys]);
        let query = &query[entry * queries * token..][..queries * token];
        let result = &mut result[entry * queries * token..][..queries * token];
        result.par_chunks_mut(rows * token).zip(query.par_chunks(rows * token)).for_each_init(
            || Scratch::new(rows, width),
            |scratch, (result, query)| {
                Arch::new().dispatch(Task { sizes, packed: &packed, query, result, scratch });
            },
        );
    }
    tensor(result, [batch, queries, heads, width], dtype, &device)
}

/// Keys and values of every head in the order in which the products read them.
struct Packed {
    keys: Vec<Aligned>,
    values: Vec<Aligned>,
}

fn pack(sizes: Sizes, key: &[f32], value: &[f32]) -> Packed {
    let Sizes { heads, width, .. } = sizes;
    let head = |values, index| Head { values, heads, width, index };
    let (keys, values) =
        (0..heads).into_par_iter().map(|index| (head(key, index).panels(), head(value, index).rows())).unzip();
    Packed { keys, values }
}

/// What a thread needs for one tile of one head.
struct Scratch {
    /// `[rows, width]`, scaled.
    query: Aligned,
    /// `[rows, KEYS]`.
    scores: Aligned,
    /// `[rows, width rounded up to vectors]`, not yet divided by the sums.
    result: Aligned,
    greatest: Vec<f32>,
    sums: Vec<f32>,
}

impl Scratch {
    fn new(rows: usize, width: usize) -> Self {
        let [lanes, _] = Arch::new().dispatch(Columns);
        Self {
            query: Aligned::zeros(rows * width),
            scores: Aligned::zeros(rows * KEYS),
            result: Aligned::zeros(rows * width.next_multiple_of(lanes)),
            greatest: vec![0.0; rows],
            sums: vec![0.0; rows],
        }
    }
}

/// All heads of some queries, `[queries, heads, width]`.
struct Task<'a> {
    sizes: Sizes,
    packed: &'a Packed,
    query: &'a [f32],
    result: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= MANY_REGISTERS {
            self.run::<S, { VECTORS[0] }>(simd);
        } else {
            self.run::<S, { VECTORS[1] }>(simd);
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Sizes { heads, keys, width, .. } = self.sizes;
        let token = heads * width;
        let count = self.query.len() / token;
        let padded = width.next_multiple_of(S::F32_LANES);
        let columns = V * S::F32_LANES;
        // Scores in units of ln 2: powers of two are cheaper than powers of e.
        let scale = std::f32::consts::LOG2_E / (width as f32).sqrt();
        for head in 0..heads {
            let scratch = &mut *self.scratch;
            for (to, from) in scratch.query.get_mut().chunks_exact_mut(width).zip(self.query.chunks_exact(token)) {
                to.iter_mut().zip(&from[head * width..]).for_each(|(to, from)| *to = from * scale);
            }
            scratch.result.get_mut().fill(0.0);
            scratch.greatest.fill(f32::NEG_INFINITY);
            scratch.sums.fill(0.0);
            let panels = self.packed.keys[head].get();
            let values = self.packed.values[head].get();
            let mut first = 0;
            while first < keys {
                let tile = KEYS.min(keys - first);
                let panels = &panels[first * width..(first + tile).next_multiple_of(columns) * width];
                scores::<S, V>(simd, scratch, panels, width, count);
                soften(simd, scratch, padded, tile, count);
                let values = &values[first * padded..(first + tile) * padded];
                accumulate::<S, V>(simd, scratch, values, padded, tile, count);
                first += tile;
            }
            let rows = self.result.chunks_exact_mut(token).zip(scratch.result.get().chunks_exact(padded));
            for ((to, from), sum) in rows.zip(&scratch.sums) {
                let share = sum.recip();
                to[head * width..][..width].iter_mut().zip(from).for_each(|(to, from)| *to = from * share);
            }
        }
    }
}

/// Scores of a tile: queries times panels of keys.
#[inline(always)]
fn scores<S: Simd, const V: usize>(simd: S, scratch: &mut Scratch, panels: &[f32], width: usize, count: usize) {
    let (panels, _) = S::as_simd_f32s(panels);
    let (scores, _) = S::as_mut_simd_f32s(scratch.scores.get_mut());
    let query = scratch.query.get();
    let tile = KEYS / S::F32_LANES;
    for (number, panel) in panels.chunks_exact(V * width).enumerate() {
        for first in (0..count).step_by(ROWS) {
            let sums = product::<S, V>(simd, &query[first * width..], width, panel, V, width);
            for (i, sums) in sums.iter().enumerate() {
                scores[(first + i) * tile + number * V..][..V].copy_from_slice(sums);
            }
        }
    }
}

/// Scores of a tile to weights relative to the greatest score so far; what was summed before is
/// scaled to the new greatest one.
#[inline(always)]
fn soften<S: Simd>(simd: S, scratch: &mut Scratch, padded: usize, keys: usize, count: usize) {
    let rows = scratch.scores.get_mut().chunks_exact_mut(KEYS).zip(scratch.result.get_mut().chunks_exact_mut(padded));
    for (((scores, result), greatest), sum) in rows.zip(&mut scratch.greatest).zip(&mut scratch.sums).take(count) {
        // Beyond the last key there is nothing to attend to.
        scores[keys..].fill(f32::NEG_INFINITY);
        let (scores, _) = S::as_mut_simd_f32s(scores);
        let mut most = simd.splat_f32s(*greatest);
        for score in scores.iter() {
            most = simd.max_f32s(most, *score);
        }
        let most = simd.reduce_max_f32s(most);
        let shift = simd.splat_f32s(most);
        let mut total = simd.splat_f32s(0.0);
        for score in scores.iter_mut() {
            let weight = exp2_nonpositive(simd, simd.sub_f32s(*score, shift));
            total = simd.add_f32s(total, weight);
            *score = weight;
        }
        if most > *greatest {
            let before = (*greatest - most).exp2();
            *sum *= before;
            let before = simd.splat_f32s(before);
            let (result, _) = S::as_mut_simd_f32s(result);
            for part in result {
                *part = simd.mul_f32s(*part, before);
            }
            *greatest = most;
        }
        *sum += simd.reduce_sum_f32s(total);
    }
}

/// Adds weights times values to the results.
#[inline(always)]
fn accumulate<S: Simd, const V: usize>(
    simd: S,
    scratch: &mut Scratch,
    values: &[f32],
    padded: usize,
    keys: usize,
    count: usize,
) {
    let vectors = padded / S::F32_LANES;
    let (values, _) = S::as_simd_f32s(values);
    let (results, _) = S::as_mut_simd_f32s(scratch.result.get_mut());
    let weights = scratch.scores.get();
    for first in (0..count).step_by(ROWS) {
        let weights = &weights[first * KEYS..];
        let results = &mut results[first * vectors..][..ROWS * vectors];
        add_product::<S, V, false>(simd, results, vectors, weights, KEYS, values, keys);
    }
}
