//! Attention of products and softmax that every backend has, some queries at a time.

use burn::tensor::activation::softmax;
use burn::tensor::module;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Tensor};

/// Computes `chunk` for every `queries` queries of `query` and joins the results.
fn for_each_chunk(query: Tensor<4>, queries: usize, mut chunk: impl FnMut(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    let [_, _, count, _] = query.dims();
    if count <= queries {
        return chunk(query);
    }
    let starts = (0..count).step_by(queries);
    let chunks = starts.map(|start| chunk(query.clone().narrow(2, start, queries.min(count - start)))).collect();
    Tensor::cat(chunks, 2)
}

/// # Shapes
/// `[batch, tokens, heads, head_dim]` in and out.
pub(super) fn composed(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, queries: usize) -> Tensor<4> {
    let [_, _, _, head_dim] = query.dims();
    let dtype = query.dtype();
    // Scaling the smaller operand is exact for widths that are powers of four and cheaper always.
    let query = query.swap_dims(1, 2).mul_scalar((head_dim as f64).sqrt().recip());
    let (key, value) = (key.swap_dims(1, 2).swap_dims(2, 3), value.swap_dims(1, 2));
    for_each_chunk(query, queries, |query| {
        let scores = query.matmul(key.clone()).cast(DType::F32);
        softmax(scores, 3).cast(dtype).matmul(value.clone())
    })
    .swap_dims(1, 2)
}

/// # Shapes
/// `[batch, tokens, heads, head_dim]` in and out.
pub(super) fn fused(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, queries: usize, multiple: usize) -> Tensor<4> {
    let (key, value) = (key.swap_dims(1, 2), value.swap_dims(1, 2));
    for_each_chunk(query.swap_dims(1, 2), queries, |query| {
        let [batch, heads, count, head_dim] = query.dims();
        let missing = count.next_multiple_of(multiple) - count;
        let query = if missing > 0 {
            let rest = Tensor::zeros([batch, heads, missing, head_dim], (&query.device(), query.dtype()));
            Tensor::cat(vec![query, rest], 2)
        } else {
            query
        };
        // Neither mask nor scale: LibTorch's mask is inverted, and a scale leaves the fused path.
        let options = AttentionModuleOptions::default();
        module::attention(query, key.clone(), value.clone(), None, None, options).narrow(2, 0, count)
    })
    .swap_dims(1, 2)
}
