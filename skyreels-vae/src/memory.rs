//! How much memory a batch takes on its way through the network.

use skyreels_core::Precision;

use crate::batches::{Batching, doubled, halved};
use crate::config::VaeConfig;
use crate::flops::product;

/// Tensors of the largest size that are alive together: the block's input, the input of a
/// convolution with the frames before it, a copy of that in the order that the backend's
/// convolution wants, its result, and the frames that convolutions keep for the next batch.
const ALIVE: u64 = 5;

/// Peak bytes of activations while encoding `frames` frames of `height x width` pixels without
/// tiles, beside weights, input and result, for one entry of the batch axis. An estimate, to plan
/// with.
pub fn encode_bytes(config: &VaeConfig, frames: usize, height: usize, width: usize, precision: Precision) -> u64 {
    encode_numbers(config, frames, height, width).saturating_mul(precision.bytes() as u64)
}

/// Peak bytes of activations while decoding `latent_frames` latent frames of `height x width`
/// latents without tiles, beside weights, input and result, for one entry of the batch axis. An
/// estimate, to plan with.
pub fn decode_bytes(
    config: &VaeConfig,
    latent_frames: usize,
    height: usize,
    width: usize,
    precision: Precision,
) -> u64 {
    decode_numbers(config, latent_frames, height, width).saturating_mul(precision.bytes() as u64)
}

/// [`encode_bytes`] in numbers.
pub(crate) fn encode_numbers(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
    let batch = Batching::of_frames(frames).first;
    let levels = config.block_out_channels.iter().enumerate().map(|(level, channels)| {
        let frames = (0..level.min(config.time_levels())).fold(batch, |frames, _| halved(frames));
        product([*channels, frames, height >> level, width >> level])
    });
    levels.max().unwrap_or(0).saturating_mul(ALIVE)
}

/// [`decode_bytes`] in numbers.
pub(crate) fn decode_numbers(config: &VaeConfig, latent_frames: usize, height: usize, width: usize) -> u64 {
    let batch = Batching::of_latents(latent_frames).first;
    let widths = &config.block_out_channels;
    let coarsest = widths.len() - 1;
    let levels = (0..=coarsest).map(|level| {
        let ups = coarsest - level;
        let frames = (0..ups.min(config.time_levels())).fold(batch, |frames, _| doubled(frames));
        // The level's first block takes the channels of the coarser level.
        let channels = widths[level].max(widths[(level + 1).min(coarsest)]);
        product([channels, frames, height, 1 << ups, width, 1 << ups])
    });
    levels.max().unwrap_or(0).saturating_mul(ALIVE)
}
