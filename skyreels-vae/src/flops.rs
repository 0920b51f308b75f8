//! How much arithmetic a clip takes.

use crate::batches::{Batching, doubled, halved};
use crate::blocks::MID_LAYERS;
use crate::config::VaeConfig;

/// Multiplications of a 3x3x3 kernel.
const CUBE: u64 = 27;
/// Multiplications of a 3x3 kernel.
const SQUARE: u64 = 9;

/// Floating-point operations (two per multiplication and addition) of the convolutions that encode
/// `frames` frames of `height x width` without tiles. The largest number for sizes beyond counting.
pub fn encode_flops(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
    Batching::of_frames(frames).sum(|batch| encode_batch(config, [batch, height, width]))
}

/// Floating-point operations of the convolutions that decode a clip of `frames` frames of
/// `height x width` without tiles, counted as the original computes them: its 1x1x1 convolutions of
/// the norms at full size and its upsampled frames one by one, which this crate does not do. The
/// largest number for sizes beyond counting.
pub fn decode_flops(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
    let ratio = config.spatial_compression_ratio();
    let batching = Batching::of_latents(config.latent_frames(frames));
    batching.sum(|batch| decode_batch(config, [batch, height / ratio, width / ratio]))
}

/// A product that stays at the largest number.
pub(crate) fn product(factors: impl IntoIterator<Item = usize>) -> u64 {
    factors.into_iter().fold(1, |product: u64, factor| product.saturating_mul(factor as u64))
}

fn sum(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

fn conv(from: usize, to: usize, kernel: u64, positions: u64) -> u64 {
    (2 * kernel).saturating_mul(product([from, to])).saturating_mul(positions)
}

fn resnet(from: usize, to: usize, positions: u64) -> u64 {
    let shortcut = if from == to { 0 } else { conv(from, to, 1, positions) };
    sum([conv(from, to, CUBE, positions), conv(to, to, CUBE, positions), shortcut])
}

/// `[frames, height, width]` in, the same of the latents within.
fn encode_batch(config: &VaeConfig, [mut frames, mut height, mut width]: [usize; 3]) -> u64 {
    let widths = &config.block_out_channels;
    let mut parts = vec![conv(config.in_channels, widths[0], CUBE, product([frames, height, width]))];
    let mut channels = widths[0];
    for (level, &to) in widths.iter().enumerate() {
        let positions = product([frames, height, width]);
        for _ in 0..config.layers_per_block {
            parts.push(resnet(channels, to, positions));
            channels = to;
        }
        if level + 1 < widths.len() {
            if level < config.time_levels() {
                frames = halved(frames);
            }
            (height, width) = (height / 2, width / 2);
            parts.push(conv(to, to, SQUARE, product([frames, height, width])));
        }
    }
    let positions = product([frames, height, width]);
    parts.extend([resnet(channels, channels, positions); MID_LAYERS]);
    parts.push(conv(channels, 2 * config.latent_channels, CUBE, positions));
    sum(parts)
}

/// `[frames, height, width]` of the latents in.
fn decode_batch(config: &VaeConfig, [mut frames, mut height, mut width]: [usize; 3]) -> u64 {
    let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
    let norm = |channels: usize, positions: u64| conv(config.latent_channels, channels, 1, positions).saturating_mul(2);
    let block = |from: usize, to: usize, positions: u64| {
        sum([resnet(from, to, positions), norm(from, positions), norm(to, positions)])
    };
    let mut channels = widths[0];
    let positions = product([frames, height, width]);
    let mut parts = vec![conv(config.latent_channels, channels, CUBE, positions)];
    parts.extend([block(channels, channels, positions); MID_LAYERS]);
    for (level, &to) in widths.iter().enumerate() {
        let positions = product([frames, height, width]);
        for _ in 0..=config.layers_per_block {
            parts.push(block(channels, to, positions));
            channels = to;
        }
        if level + 1 < widths.len() {
            if level < config.time_levels() {
                frames = doubled(frames);
            }
            (height, width) = (height.saturating_mul(2), width.saturating_mul(2));
            parts.push(conv(to, to, SQUARE, product([frames, height, width])));
        }
    }
    let positions = product([frames, height, width]);
    parts.extend([norm(channels, positions), conv(channels, config.out_channels, CUBE, positions)]);
    sum(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_a_published_clip_takes_315_tera_operations() {
        let flops = decode_flops(&VaeConfig::published(), 49, 480, 720) as f64;
        assert!((flops / 315e12 - 1.0).abs() < 0.01, "{flops:e}");
    }

    #[test]
    fn work_grows_with_the_area() {
        let config = VaeConfig::published();
        assert_eq!(4 * encode_flops(&config, 49, 240, 360), encode_flops(&config, 49, 480, 720));
        assert_eq!(4 * decode_flops(&config, 49, 240, 360), decode_flops(&config, 49, 480, 720));
    }
}
