//! Attention without a score matrix.
//!
//! | device | path |
//! |---|---|
//! | in this process's memory | tiles with a running softmax, twice as fast as Burn's kernel there |
//! | CubeCL (CUDA), half precision | Burn's fused kernel, queries filled up to a multiple of 128 |
//! | LibTorch | its own kernel |
//! | everything else, f32 on a card, and wherever gradients are asked for | product, softmax, product, some queries at a time |

mod composed;
mod gradients;
mod plan;

pub use gradients::{AttentionGradients, attention_gradients};
pub use plan::{AttentionPlan, AttentionShape, Engine, MAX_SCORE_BYTES};

use burn::tensor::Tensor;

use crate::host::tiled_attention;

/// `softmax(query key^T / sqrt(head_dim)) value`: the one attention of this workspace.
///
/// Without gradients no backend ever holds more than [`MAX_SCORE_BYTES`] of scores (see
/// [`AttentionPlan`]). With gradients that bound does not hold: chunks are computed one after the
/// other, but automatic differentiation keeps the softmax of every chunk and what it was computed
/// from until the backward pass, several times the whole score matrix
/// ([`AttentionPlan::score_bytes`] counts it; 64 GB for one such matrix of one block of the published
/// model on a full clip). Training at such sizes has to compute blocks again in the backward pass,
/// or take shorter and smaller clips.
///
/// Softmax is f32 whatever the type of the inputs. A NaN in a query, key or value is a NaN in every
/// result that depends on it, where this crate computes; what a backend's fused kernel makes of it is
/// the backend's. There is no mask and no scale on purpose: both leave the fused
/// kernels, and one backend inverts masks.
///
/// # Shapes
/// `query` `[batch, queries, heads, head_dim]`, `key` and `value` `[batch, keys, heads, head_dim]`
/// `-> [batch, queries, heads, head_dim]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let [batch, queries, heads, head_dim] = query.dims();
    let [_, keys, _, _] = key.dims();
    let device = query.device();
    let shape = AttentionShape { batch, heads, queries, keys, head_dim };
    attention_by(AttentionPlan::new(shape, Engine::of(&device), query.dtype(), device.is_autodiff()), query, key, value)
}

/// Attention by a plan of the caller's choice, for comparisons.
///
/// # Shapes
/// Those of [`attention`].
pub fn attention_by(plan: AttentionPlan, query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    match plan {
        AttentionPlan::Tiled => tiled_attention(query, key, value),
        AttentionPlan::Fused { queries, multiple } => composed::fused(query, key, value, queries, multiple),
        AttentionPlan::Composed { queries, .. } => composed::composed(query, key, value, queries),
    }
}
