//! Which way attention is computed, and how many queries at a time.

use burn::tensor::{DType, Device};
use skyreels_core::device::Backend;

use crate::host;

/// Scores that any path without gradients may hold at a time, all temporary copies together; with
/// gradients, those of one chunk beside what is kept for the backward pass.
pub const MAX_SCORE_BYTES: u64 = 2_000_000_000;
/// The same where caches are small and every pass over the scores comes from memory.
const HOST_SCORE_BYTES: u64 = 64_000_000;
/// Fewer queries than this leave matrix products without work to share.
const MIN_QUERIES: usize = 32;
/// Bytes of a score on the composed path: product, its softmax and one conversion between types,
/// all f32.
const COMPOSED_BYTES: u64 = 12;
/// Bytes of a score that Burn's automatic differentiation keeps for the backward pass beside the
/// operand of the second product: arguments and results of the softmax's powers, f32.
const KEPT_BYTES: u64 = 8;
/// Copies of the scores that a backend makes which falls back from its fused kernel.
const FALLBACK_COPIES: u64 = 2;
/// The CUDA kernel is fused only for a multiple of this many queries and falls back, without a
/// word, to the whole score matrix for any other (cubek-attention: 16 rows times up to 8 planes).
const FUSED_QUERIES: usize = 128;
/// The same for the width of a head.
const FUSED_HEAD_DIM: usize = 16;

/// Sizes of one attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// Batch entries.
    pub batch: usize,
    /// Heads.
    pub heads: usize,
    /// Queries.
    pub queries: usize,
    /// Keys and values.
    pub keys: usize,
    /// Width of a head.
    pub head_dim: usize,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A backend whose tensors lie in this process's memory.
    Host,
    /// A CubeCL runtime: CUDA and other cards.
    Cube,
    /// LibTorch, whose own kernel never holds the scores.
    Torch,
    /// Any other backend.
    Other,
}

impl Engine {
    /// The engine behind a device, seen through autodiff.
    pub fn of(device: &Device) -> Self {
        match Backend::of(device) {
            Backend::Flex | Backend::NdArray => Self::Host,
            Backend::LibTorch => Self::Torch,
            Backend::Cube => Self::Cube,
            _ => Self::Other,
        }
    }
}

/// How one attention is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionPlan {
    /// Tiles of queries and keys in the processor's caches, with a running softmax.
    Tiled,
    /// The backend's own kernel, for so many queries at a time, filled up to a multiple of
    /// `multiple`. Even if the backend should fall back to whole scores, they stay within the
    /// budget.
    Fused {
        /// Queries of a call.
        queries: usize,
        /// What the number of queries is filled up to a multiple of.
        multiple: usize,
    },
    /// Product, softmax and product, for so many queries at a time.
    Composed {
        /// Queries of a chunk.
        queries: usize,
        /// Gradients will be asked for: the softmax of every chunk is kept.
        tracked: bool,
    },
}

impl AttentionPlan {
    /// The plan for `shape` in numbers of type `dtype`; `tracked` when gradients will be asked
    /// for.
    pub fn new(shape: AttentionShape, engine: Engine, dtype: DType, tracked: bool) -> Self {
        let half = matches!(dtype, DType::F16 | DType::BF16);
        match engine {
            // Burn differentiates its kernels by composing them with the whole score matrix.
            _ if tracked => shape.composed(engine, true),
            Engine::Host if host::fast() => Self::Tiled,
            Engine::Torch => Self::Fused { queries: shape.rows(MAX_SCORE_BYTES, fallback_bytes(dtype)), multiple: 1 },
            // The kernel computes in f16 whatever it is given: not for those who ask for f32.
            Engine::Cube if half && shape.head_dim.is_multiple_of(FUSED_HEAD_DIM) => {
                let rows = shape.rows(MAX_SCORE_BYTES, fallback_bytes(dtype)) / FUSED_QUERIES * FUSED_QUERIES;
                if rows == 0 {
                    return shape.composed(engine, false);
                }
                Self::Fused { queries: rows, multiple: FUSED_QUERIES }
            }
            Engine::Host | Engine::Cube | Engine::Other => shape.composed(engine, false),
        }
    }

    /// Bytes of scores that this plan holds at most, for inputs of type `dtype`: none in tiles, and
    /// on fused paths only if the backend falls back. With gradients, what all chunks keep for the
    /// backward pass is part of it: it grows with the product of queries and keys.
    pub fn score_bytes(&self, shape: AttentionShape, dtype: DType) -> u64 {
        match self {
            Self::Tiled => 0,
            Self::Fused { queries, multiple } => {
                let rows = (*queries).min(shape.queries.next_multiple_of(*multiple));
                shape.row_bytes(fallback_bytes(dtype)).saturating_mul(rows as u64)
            }
            Self::Composed { queries, tracked } => {
                let chunk = shape.row_bytes(COMPOSED_BYTES).saturating_mul((*queries).min(shape.queries) as u64);
                let kept = if *tracked { shape.row_bytes(KEPT_BYTES + dtype.size() as u64) } else { 0 };
                chunk.saturating_add(kept.saturating_mul(shape.queries as u64))
            }
        }
    }
}

/// Bytes of a score where a fused kernel falls back.
fn fallback_bytes(dtype: DType) -> u64 {
    FALLBACK_COPIES * dtype.size() as u64
}

impl AttentionShape {
    /// Bytes of the scores of one query, in every head and batch entry.
    fn row_bytes(&self, score_bytes: u64) -> u64 {
        let scores = (self.batch as u64).saturating_mul(self.heads as u64).saturating_mul(self.keys as u64);
        scores.saturating_mul(score_bytes).max(1)
    }

    /// Queries whose scores fit into `budget`, at least one.
    fn rows(&self, budget: u64, score_bytes: u64) -> usize {
        (budget / self.row_bytes(score_bytes)).clamp(1, u64::from(u32::MAX)) as usize
    }

    fn composed(&self, engine: Engine, tracked: bool) -> AttentionPlan {
        let most = self.rows(MAX_SCORE_BYTES, COMPOSED_BYTES);
        let queries = match engine {
            Engine::Host => self.rows(HOST_SCORE_BYTES, COMPOSED_BYTES).max(MIN_QUERIES).min(most),
            _ => most,
        };
        AttentionPlan::Composed { queries, tracked }
    }
}
