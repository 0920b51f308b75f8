//! How much memory a batch takes on its way through the network.

use skyreels_core::Precision;

use crate::batches::{frame_batches, latent_batches};
use crate::config::VaeConfig;

/// Tensors of the largest size that are alive together: the block's input, the input of a
/// convolution with the frames before it, a copy of that in the order that the backend's
/// convolution wants, its result, and the frames that convolutions keep for the next batch.
const ALIVE: u64 = 5;

/// Peak bytes of activations while encoding `frames` frames of `height x width` pixels without
/// tiles, beside weights, input and result. An estimate, to plan with.
pub fn encode_bytes(config: &VaeConfig, frames: usize, height: usize, width: usize, precision: Precision) -> u64 {
    let batch = frame_batches(frames).first().map_or(0, ExactSizeIterator::len);
    let levels = config.block_out_channels.iter().enumerate().map(|(level, channels)| {
        let frames = (0..level.min(config.time_levels())).fold(batch, |frames, _| frames.div_ceil(2));
        (channels * frames * (height >> level) * (width >> level)) as u64
    });
    ALIVE * levels.max().unwrap_or(0) * precision.bytes() as u64
}

/// Peak bytes of activations while decoding `latent_frames` latent frames of `height x width`
/// latents without tiles, beside weights, input and result. An estimate, to plan with.
pub fn decode_bytes(
    config: &VaeConfig,
    latent_frames: usize,
    height: usize,
    width: usize,
    precision: Precision,
) -> u64 {
    let batch = latent_batches(latent_frames).first().map_or(0, ExactSizeIterator::len);
    let widths = &config.block_out_channels;
    let coarsest = widths.len() - 1;
    let double = |frames: usize, _| if frames % 2 == 1 { 2 * frames - 1 } else { 2 * frames };
    let levels = (0..=coarsest).map(|level| {
        let ups = coarsest - level;
        let frames = (0..ups.min(config.time_levels())).fold(batch, double);
        // The level's first block takes the channels of the coarser level.
        let channels = widths[level].max(widths[(level + 1).min(coarsest)]);
        (channels * frames * (height << ups) * (width << ups)) as u64
    });
    ALIVE * levels.max().unwrap_or(0) * precision.bytes() as u64
}
