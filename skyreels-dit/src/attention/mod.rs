//! Attention without a score matrix.

mod composed;
mod plan;

pub use plan::{AttentionPlan, AttentionShape, Engine, MAX_SCORE_BYTES};

use burn::tensor::Tensor;

/// `softmax(query key^T / sqrt(head_dim)) value`: the one attention of this workspace.
///
/// No backend ever holds more than [`MAX_SCORE_BYTES`] of scores (see [`AttentionPlan`]); softmax
/// is f32 whatever the type of the inputs. There is no mask and no scale on purpose: both leave
/// the fused kernels, and one backend inverts masks.
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
        AttentionPlan::Tiled => composed::composed(query, key, value, 256),
        AttentionPlan::Fused { queries, multiple } => composed::fused(query, key, value, queries, multiple),
        AttentionPlan::Composed { queries } => composed::composed(query, key, value, queries),
    }
}
