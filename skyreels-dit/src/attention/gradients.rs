//! The backward pass of attention without its score matrix.

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Tensor};
use skyreels_core::device::Backend;

use crate::host::{serves, tiled_attention_gradients};

/// Bytes of scores that the backward pass holds at a time.
const CARD_SCORE_BYTES: usize = 2_000_000_000;
/// The same where caches are small.
const HOST_SCORE_BYTES: usize = 64_000_000;
/// Bytes of a score: softmax, its gradient, their product and a temporary copy, f32.
const SCORE_BYTES: usize = 16;

/// Gradients of an attention.
#[derive(Debug, Clone)]
pub struct AttentionGradients {
    /// With respect to the queries.
    pub query: Tensor<4>,
    /// With respect to the keys.
    pub key: Tensor<4>,
    /// With respect to the values.
    pub value: Tensor<4>,
}

/// Gradients of `sum(attention(query, key, value) * cotangent)`, the softmax computed again for some queries at a time
/// (Dao et al., 2022, appendix B.2, with whole rows).
///
/// With `P` the softmax, `D = sum(P * dP)` over a row: `dV = P^T dO`, `dP = dO V^T`, `dS = P (dP - D)`,
/// `dQ = dS K / sqrt(d)`, `dK = dS^T Q / sqrt(d)`. Tensors must be without gradients; results are in the type of the inputs.
///
/// # Shapes
/// `[batch, tokens, heads, head_dim]` each.
pub fn attention_gradients(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    cotangent: Tensor<4>,
) -> AttentionGradients {
    let [batch, queries, heads, head_dim] = query.dims();
    let [_, keys, _, _] = key.dims();
    if batch * queries * keys * heads * head_dim == 0 {
        return AttentionGradients { query: query.zeros_like(), key: key.zeros_like(), value: value.zeros_like() };
    }
    if serves(&query.device()) {
        let [query, key, value] = tiled_attention_gradients(query, key, value, cotangent);
        return AttentionGradients { query, key, value };
    }
    let budget = if Backend::of(&query.device()).is_host() { HOST_SCORE_BYTES } else { CARD_SCORE_BYTES };
    let rows = (budget / (batch * heads * keys * SCORE_BYTES).max(1)).clamp(1, queries);
    in_chunks(query, key, value, cotangent, rows, (head_dim as f64).sqrt().recip())
}

fn in_chunks(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    cotangent: Tensor<4>,
    rows: usize,
    scale: f64,
) -> AttentionGradients {
    let dtype = query.dtype();
    let [query, key, value, cotangent] = [query, key, value, cotangent].map(|x| x.swap_dims(1, 2));
    let query = query.mul_scalar(scale);
    let [_, _, count, _] = query.dims();
    let transposed = |x: &Tensor<4>| x.clone().swap_dims(2, 3);
    let (key_columns, value_columns) = (transposed(&key), transposed(&value));
    let mut parts = Vec::new();
    let mut sums: Option<[Tensor<4>; 2]> = None;
    for start in (0..count).step_by(rows) {
        let length = rows.min(count - start);
        let [query, cotangent] = [&query, &cotangent].map(|x| x.clone().narrow(2, start, length));
        let share = softmax(query.clone().matmul(key_columns.clone()).cast(DType::F32), 3);
        let slope = cotangent.clone().matmul(value_columns.clone()).cast(DType::F32);
        let value_part = transposed(&share).cast(dtype).matmul(cotangent);
        let weighted = share.clone() * slope;
        // dS = P dP - P D
        let slope = (weighted.clone() - share * weighted.sum_dim(3)).cast(dtype);
        parts.push(slope.clone().matmul(key.clone()).mul_scalar(scale));
        // The queries are scaled already.
        let key_part = transposed(&slope).matmul(query);
        let add = |sum: Tensor<4>, part: Tensor<4>| sum + part.cast(DType::F32);
        sums = Some(match sums {
            None => [key_part, value_part].map(|part| part.cast(DType::F32)),
            Some([keys, values]) => [add(keys, key_part), add(values, value_part)],
        });
    }
    let [key, value] = sums.expect("there is at least one query").map(|sum| sum.cast(dtype).swap_dims(1, 2));
    let query = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 2) };
    AttentionGradients { query: query.swap_dims(1, 2), key, value }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;
    use skyreels_core::diffusion::NoiseGenerator;

    use super::*;
    use crate::attention::attention;

    fn distance(a: Tensor<4>, b: Tensor<4>) -> f32 {
        let size = b.clone().powi_scalar(2).sum().sqrt().into_scalar::<f32>();
        (a - b).powi_scalar(2).sum().sqrt().into_scalar::<f32>() / size.max(1e-6)
    }

    /// Queries, keys, values and a cotangent; and what automatic differentiation makes of them.
    fn truth(sizes: [usize; 4], keys: usize, seed: u64) -> ([Tensor<4>; 4], [Tensor<4>; 3]) {
        let [batch, queries, heads, width] = sizes;
        let mut random = NoiseGenerator::new(seed);
        let of = [queries, keys, keys, queries];
        let all = of.map(|tokens| random.normal([batch, tokens, heads, width], &Device::flex()));
        let [q, k, v] = [0, 1, 2].map(|i| all[i].clone().autodiff().require_grad());
        let out = attention(q.clone(), k.clone(), v.clone()) * all[3].clone().autodiff();
        let gradients = out.sum().backward();
        (all, [q, k, v].map(|leaf| leaf.grad(&gradients).unwrap()))
    }

    #[test]
    fn without_queries_or_keys_nothing_depends_on_anything() {
        let tensor = |tokens| Tensor::<4>::ones([1, tokens, 2, 8], &Device::flex());
        for (queries, keys) in [(0, 3), (3, 0)] {
            let ours = attention_gradients(tensor(queries), tensor(keys), tensor(keys), tensor(queries));
            assert_eq!(ours.query.dims()[1], queries);
            assert_eq!(ours.key.dims(), ours.value.dims());
            assert!(ours.key.into_data().iter::<f32>().chain(ours.query.into_data().iter()).all(|value| value == 0.0));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn in_chunks_they_are_those_of_automatic_differentiation(
            batch in 1usize..3, queries in 1usize..9, keys in 1usize..9, heads in 1usize..3, rows in 1usize..9, seed in any::<u64>(),
        ) {
            let ([query, key, value, cotangent], truth) = truth([batch, queries, heads, 16], keys, seed);
            let ours = in_chunks(query, key, value, cotangent, rows, 0.25);
            for (ours, theirs) in [ours.query, ours.key, ours.value].into_iter().zip(truth) {
                prop_assert!(distance(ours, theirs) < 1e-5);
            }
        }

        #[test]
        fn in_tiles_they_are_those_of_automatic_differentiation(
            batch in 1usize..3, queries in 1usize..150, keys in 1usize..150, heads in 1usize..4, width in 1usize..80, seed in any::<u64>(),
        ) {
            let ([query, key, value, cotangent], truth) = truth([batch, queries, heads, width], keys, seed);
            let ours = tiled_attention_gradients(query, key, value, cotangent);
            for (ours, theirs) in ours.into_iter().zip(truth) {
                // Of a single key, the weights do not depend on the scores.
                let error = if keys == 1 { (ours - theirs).abs().max().into_scalar::<f32>() } else { distance(ours, theirs) };
                prop_assert!(error < 1e-5, "{error}");
            }
        }
    }
}
