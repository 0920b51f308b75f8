//! How much arithmetic a clip takes.

use crate::batches::{frame_batches, latent_batches};
use crate::config::VaeConfig;

/// Multiplications of a 3x3x3 kernel.
const CUBE: u64 = 27;
/// Multiplications of a 3x3 kernel.
const SQUARE: u64 = 9;
/// Residual blocks of the middle.
const MID_LAYERS: usize = 2;

/// Floating-point operations (two per multiplication and addition) of the convolutions that encode
/// `frames` frames of `height x width` without tiles.
pub fn encode_flops(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
    frame_batches(frames).iter().map(|batch| encode_batch(config, batch.len(), height, width)).sum()
}

/// Floating-point operations of the convolutions that decode a clip of `frames` frames of
/// `height x width` without tiles, counted as the original computes them: its 1x1x1 convolutions of
/// the norms at full size and its upsampled frames one by one, which this crate does not do.
pub fn decode_flops(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
    let ratio = config.spatial_compression_ratio();
    let batches = latent_batches(config.latent_frames(frames));
    batches.iter().map(|batch| decode_batch(config, batch.len(), height / ratio, width / ratio)).sum()
}

fn conv(from: usize, to: usize, kernel: u64, positions: u64) -> u64 {
    2 * (from * to) as u64 * kernel * positions
}

fn resnet(from: usize, to: usize, positions: u64) -> u64 {
    let shortcut = if from == to { 0 } else { conv(from, to, 1, positions) };
    conv(from, to, CUBE, positions) + conv(to, to, CUBE, positions) + shortcut
}

fn encode_batch(config: &VaeConfig, mut frames: usize, mut height: usize, mut width: usize) -> u64 {
    let widths = &config.block_out_channels;
    let mut sum = conv(config.in_channels, widths[0], CUBE, (frames * height * width) as u64);
    let mut channels = widths[0];
    for (level, &to) in widths.iter().enumerate() {
        let positions = (frames * height * width) as u64;
        for _ in 0..config.layers_per_block {
            sum += resnet(channels, to, positions);
            channels = to;
        }
        if level + 1 < widths.len() {
            if level < config.time_levels() {
                frames = frames.div_ceil(2);
            }
            (height, width) = (height / 2, width / 2);
            sum += conv(to, to, SQUARE, (frames * height * width) as u64);
        }
    }
    let positions = (frames * height * width) as u64;
    sum + MID_LAYERS as u64 * resnet(channels, channels, positions)
        + conv(channels, 2 * config.latent_channels, CUBE, positions)
}

fn decode_batch(config: &VaeConfig, mut frames: usize, mut height: usize, mut width: usize) -> u64 {
    let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
    let norm = |channels: usize, positions: u64| 2 * conv(config.latent_channels, channels, 1, positions);
    let block = |from: usize, to: usize, positions: u64| {
        resnet(from, to, positions) + norm(from, positions) + norm(to, positions)
    };
    let mut channels = widths[0];
    let positions = (frames * height * width) as u64;
    let mut sum = conv(config.latent_channels, channels, CUBE, positions)
        + MID_LAYERS as u64 * block(channels, channels, positions);
    for (level, &to) in widths.iter().enumerate() {
        let positions = (frames * height * width) as u64;
        for _ in 0..=config.layers_per_block {
            sum += block(channels, to, positions);
            channels = to;
        }
        if level + 1 < widths.len() {
            if level < config.time_levels() {
                frames = if frames % 2 == 1 { 2 * frames - 1 } else { 2 * frames };
            }
            (height, width) = (2 * height, 2 * width);
            sum += conv(to, to, SQUARE, (frames * height * width) as u64);
        }
    }
    let positions = (frames * height * width) as u64;
    sum + norm(channels, positions) + conv(channels, config.out_channels, CUBE, positions)
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
