//! Attention alone, and the proof that it holds no score matrix.

use std::time::Instant;

use burn::tensor::{DType, Distribution, Tensor};
use serde::Serialize;
use skyreels::tune::Timing;
use skyreels_core::{Device, Precision};
use skyreels_dit::attention::attention;

use crate::memory::{held_bytes, most_held_bytes};

/// Below this size of the score matrix, what else a process does hides whether it was held.
const TELLING_BYTES: u64 = 64 << 20;
/// Share of the score matrix that an attention without one may take, its inputs and result included.
const MOST_OF_SCORES: f64 = 0.25;

/// What one attention took.
#[derive(Debug, Clone, Serialize)]
pub struct AttentionMeasure {
    /// Tokens that attend to each other.
    pub tokens: usize,
    /// First and steady time, operations.
    pub timing: Timing,
    /// Bytes of the whole score matrix in the precision of the inputs.
    pub score_bytes: u64,
    /// Bytes that were held beside what was there before, inputs and result included.
    pub held_bytes: Option<u64>,
    /// Whether that is far too little for a score matrix; `None` where the matrix is too small to tell, or nobody says.
    pub holds_no_scores: Option<bool>,
}

/// Times attention of `heads` heads of `head_dim` over `tokens` tokens.
///
/// # Errors
/// When the device fails.
///
/// # Panics
/// Without at least one run after the first.
pub fn measure_attention(
    [tokens, heads, head_dim]: [usize; 3],
    precision: Precision,
    runs: usize,
    device: &Device,
) -> Result<AttentionMeasure, Box<dyn std::error::Error>> {
    let random = || {
        let normal = Distribution::Normal(0.0, 1.0);
        Tensor::<4>::random([1, tokens, heads, head_dim], normal, (device, DType::F32)).cast(precision.dtype())
    };
    device.memory_cleanup();
    device.sync()?;
    let before = held_bytes(device);
    let [query, key, value] = [random(), random(), random()];
    device.sync()?;
    let mut seconds = Vec::with_capacity(runs + 1);
    for _ in 0..=runs {
        let start = Instant::now();
        let result = attention(query.clone(), key.clone(), value.clone());
        device.sync()?;
        seconds.push(start.elapsed().as_secs_f64());
        drop(result);
    }
    let (count, width) = (tokens as u64, (heads * head_dim) as u64);
    // Two products of tokens x tokens x width, two operations per multiply and add.
    let timing = Timing::of("attention", &seconds, 4 * count * count * width, device);
    let score_bytes = count * count * heads as u64 * precision.bytes() as u64;
    let held_bytes = before.zip(most_held_bytes(device)).map(|(before, after)| after.saturating_sub(before));
    let holds_no_scores = held_bytes
        .filter(|_| score_bytes >= TELLING_BYTES)
        .map(|held| (held as f64) < MOST_OF_SCORES * score_bytes as f64);
    Ok(AttentionMeasure { tokens, timing, score_bytes, held_bytes, holds_no_scores })
}
