//! Rotation of queries and keys in one pass.

use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

use super::{elements, tensor};

/// Tokens a thread takes at a time.
const TOKENS: usize = 32;

/// Rotates every pair `(a, b)` of every head to `(a cos - b sin, b cos + a sin)`.
///
/// # Shapes
/// `x` `[batch, tokens, heads, head_dim]` in and out, `cos` and `sin` `[tokens, head_dim]`.
pub(crate) fn rotate(x: Tensor<4>, cos: Tensor<2>, sin: Tensor<2>) -> Tensor<4> {
    let shape @ [_, tokens, heads, head_dim] = x.dims();
    let (dtype, device) = (x.dtype(), x.device());
    let (mut values, cos, sin) = (elements(x), elements(cos), elements(sin));
    let token = heads * head_dim;
    for entry in values.chunks_exact_mut(tokens * token) {
        entry
            .par_chunks_mut(TOKENS * token)
            .zip(cos.par_chunks(TOKENS * head_dim).zip(sin.par_chunks(TOKENS * head_dim)))
            .for_each(|(values, (cos, sin))| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || rotate_tokens(values, cos, sin, token, head_dim),
                );
            });
    }
    tensor(values, shape, dtype, &device)
}

#[inline(always)]
fn rotate_tokens(values: &mut [f32], cos: &[f32], sin: &[f32], token: usize, head_dim: usize) {
    let tables = cos.chunks_exact(head_dim).zip(sin.chunks_exact(head_dim));
    for (heads, (cos, sin)) in values.chunks_exact_mut(token).zip(tables) {
        for head in heads.chunks_exact_mut(head_dim) {
            let tables = cos.as_chunks::<2>().0.iter().zip(sin.as_chunks::<2>().0);
            // Both entries of a pair of the tables are the same.
            for ([a, b], ([cos, _], [sin, _])) in head.as_chunks_mut::<2>().0.iter_mut().zip(tables) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}
