//! The two halves of the VAE, driven over the batches of a clip and the tiles of a frame.

use std::ops::Range;

use burn::tensor::{DType, Tensor};
use skyreels_core::Progress;

use crate::batches::{frame_batches, latent_batches};
use crate::blend::blend;
use crate::config::VaeConfig;
use crate::decoder::Decoder;
use crate::differentiate::TapeRef;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::memory::{decode_numbers, encode_numbers};
use crate::pass::{Pass, TimeCache, Trace};
use crate::tiling::{Direction, TilePlan, Tiling};

/// Encoder or decoder.
pub(crate) trait Half {
    const DIRECTION: Direction;
    /// Name of the operation in progress reports.
    const STAGE: &'static str;
    /// Key of the module.
    const NAME: &'static str;

    fn forward(&self, x: Tensor<5>, pass: &mut Pass) -> Tensor<5>;
    fn batches(frames: usize) -> Vec<Range<usize>>;
    fn channels(config: &VaeConfig) -> usize;
    /// Shortest side that the half accepts.
    fn shortest_side(config: &VaeConfig) -> usize;
    /// Numbers of one batch entry that are alive at the peak.
    fn working_numbers(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64;
    /// Type of the activations.
    fn dtype(&self) -> DType;

    /// Bytes that running over a clip `x` needs at the peak, beside weights, `x` and the result.
    fn working_bytes(&self, config: &VaeConfig, x: &Tensor<5>) -> u64 {
        let [batch, _, frames, height, width] = x.dims();
        let numbers = Self::working_numbers(config, frames, height, width);
        numbers.saturating_mul(batch as u64).saturating_mul(self.dtype().size() as u64)
    }
}

impl Half for Encoder {
    const DIRECTION: Direction = Direction::Encode;
    const STAGE: &'static str = "vae encode";
    const NAME: &'static str = "encoder";

    fn forward(&self, x: Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        self.forward(x, pass)
    }

    fn batches(frames: usize) -> Vec<Range<usize>> {
        frame_batches(frames)
    }

    fn channels(config: &VaeConfig) -> usize {
        config.in_channels
    }

    fn shortest_side(config: &VaeConfig) -> usize {
        config.spatial_compression_ratio()
    }

    fn working_numbers(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
        encode_numbers(config, frames, height, width)
    }

    fn dtype(&self) -> DType {
        self.dtype()
    }
}

impl Half for Decoder {
    const DIRECTION: Direction = Direction::Decode;
    const STAGE: &'static str = "vae decode";
    const NAME: &'static str = "decoder";

    fn forward(&self, x: Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        self.forward(x, pass)
    }

    fn batches(frames: usize) -> Vec<Range<usize>> {
        latent_batches(frames)
    }

    fn channels(config: &VaeConfig) -> usize {
        config.latent_channels
    }

    fn shortest_side(_: &VaeConfig) -> usize {
        1
    }

    fn working_numbers(config: &VaeConfig, frames: usize, height: usize, width: usize) -> u64 {
        decode_numbers(config, frames, height, width)
    }

    fn dtype(&self) -> DType {
        self.dtype()
    }
}

/// Batches of one clip (or of one tile of it), each the result of its own forward.
#[derive(Debug)]
pub(crate) struct Batches {
    x: Tensor<5>,
    ranges: std::vec::IntoIter<Range<usize>>,
    cache: TimeCache,
}

impl Batches {
    pub(crate) fn new<H: Half>(x: Tensor<5>) -> Self {
        let ranges = H::batches(x.dims()[2]).into_iter();
        Self { x, ranges, cache: TimeCache::default() }
    }

    /// Batches of a clip whose network is differentiated in pieces.
    fn on_tape<H: Half>(x: Tensor<5>, tape: &TapeRef) -> Self {
        Self { cache: TimeCache::on_tape(tape.clone()), ..Self::new::<H>(x) }
    }

    pub(crate) fn next<H: Half>(&mut self, half: &H, trace: &mut Trace) -> Option<Tensor<5>> {
        let range = self.ranges.next()?;
        let x = self.x.clone().narrow(2, range.start, range.len());
        let mut pass = Pass::new(&mut self.cache, trace, self.ranges.len() == 0);
        Some(pass.named(H::NAME, |pass| half.forward(x, pass)))
    }

    pub(crate) fn remaining(&self) -> usize {
        self.ranges.len()
    }
}

/// Refuses tensors that the half cannot take.
pub(crate) fn check<H: Half>(config: &VaeConfig, x: &Tensor<5>) -> Result<()> {
    let shape = x.dims();
    let [batch, channels, frames, height, width] = shape;
    let side = H::shortest_side(config);
    let reason = if channels != H::channels(config) {
        format!("axis 1 has {channels} channels, the model takes {}", H::channels(config))
    } else if batch == 0 || frames == 0 {
        "it is empty; axes are [batch, channels, frames, height, width]".into()
    } else if height < side || width < side {
        format!("{height}x{width} is smaller than one latent; use at least {side}x{side} pixels")
    } else {
        return Ok(());
    };
    Err(Error::Shape { action: H::DIRECTION.action(), shape: shape.to_vec(), reason })
}

/// Runs a half over a whole clip.
pub(crate) fn run<H: Half>(
    half: &H,
    config: &VaeConfig,
    x: Tensor<5>,
    tiling: Tiling,
    progress: Progress,
    trace: &mut Trace,
) -> Result<Tensor<5>> {
    check::<H>(config, &x)?;
    let [_, _, frames, height, width] = x.dims();
    let sizes = match tiling {
        Tiling::Off => None,
        Tiling::On => Some(config.tile_sizes()),
        Tiling::Sized(sizes) => Some(sizes),
        Tiling::Auto { bytes } => (half.working_bytes(config, &x) > bytes).then(|| config.tile_sizes()),
    };
    let plan = match sizes {
        Some(sizes) => TilePlan::new(config, &sizes, H::DIRECTION, height, width)?,
        None => None,
    };
    let total = (H::batches(frames).len() * plan.as_ref().map_or(1, TilePlan::tiles)) as u64;
    let mut done = 0;
    let mut clip = |x: Tensor<5>| -> Result<Tensor<5>> {
        let mut batches = Batches::new::<H>(x);
        let mut parts = Vec::with_capacity(batches.remaining());
        while let Some(part) = batches.next(half, trace) {
            parts.push(part);
            done += 1;
            progress.report(H::STAGE, done, Some(total))?;
        }
        Ok(join(parts, 2))
    };
    match plan {
        Some(plan) => tiled(&plan, &x, clip),
        None => clip(x),
    }
}

/// Runs a half over a whole clip, cut into pieces; `x` is a leaf or has no gradient.
pub(crate) fn run_on_tape<H: Half>(half: &H, config: &VaeConfig, x: Tensor<5>, tape: &TapeRef) -> Result<Tensor<5>> {
    check::<H>(config, &x)?;
    let mut batches = Batches::on_tape::<H>(x, tape);
    let mut parts = Vec::with_capacity(batches.remaining());
    while let Some(part) = batches.next(half, &mut Trace::off()) {
        parts.push(part);
    }
    Ok(join(parts, 2))
}

/// Tiles row by row: each blends with the one above it, then with the one to its left, both of
/// which have been blended before.
fn tiled(plan: &TilePlan, x: &Tensor<5>, mut clip: impl FnMut(Tensor<5>) -> Result<Tensor<5>>) -> Result<Tensor<5>> {
    let TilePlan { rows, columns } = plan;
    let mut above: Vec<Tensor<5>> = Vec::new();
    let mut bands = Vec::with_capacity(rows.ranges.len());
    for row in &rows.ranges {
        let band = x.clone().narrow(3, row.start, row.len());
        let mut tiles: Vec<Tensor<5>> = Vec::with_capacity(columns.ranges.len());
        for (index, column) in columns.ranges.iter().enumerate() {
            let mut tile = clip(band.clone().narrow(4, column.start, column.len()))?;
            if let Some(above) = above.get(index) {
                tile = blend(above, tile, rows.blend, 3);
            }
            if let Some(left) = tiles.last() {
                tile = blend(left, tile, columns.blend, 4);
            }
            tiles.push(tile);
        }
        let kept = tiles.iter().map(|tile| {
            let [_, _, _, height, width] = tile.dims();
            tile.clone().narrow(3, 0, rows.keep.min(height)).narrow(4, 0, columns.keep.min(width))
        });
        bands.push(join(kept.collect(), 4));
        above = tiles;
    }
    Ok(join(bands, 3))
}

/// Joins tensors; one alone is not copied.
fn join(mut parts: Vec<Tensor<5>>, dim: usize) -> Tensor<5> {
    if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, dim) }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use skyreels_core::Precision;
    use skyreels_core::checkpoint::fill;

    use super::*;
    use crate::memory::{decode_bytes, encode_bytes};
    use crate::model::CausalVae;

    #[test]
    fn working_memory_grows_with_the_batch_and_shrinks_with_the_precision() {
        let device = Device::flex();
        let config = VaeConfig { block_out_channels: vec![4; 4], norm_num_groups: 2, ..VaeConfig::published() };
        let zeros = |shape: [usize; 5]| Tensor::<5>::zeros(shape, &device);
        for precision in [Precision::F32, Precision::F16, Precision::BF16] {
            let vae = CausalVae::new(&config, &device).unwrap();
            let vae = fill(vae, precision, |_, shape| vec![0.0; shape.iter().product()]);
            let (encoder, decoder) = vae.halves();
            let one = encode_bytes(&config, 9, 16, 24, precision);
            assert_eq!(encoder.working_bytes(&config, &zeros([3, 3, 9, 16, 24])), 3 * one);
            let one = decode_bytes(&config, 3, 2, 3, precision);
            assert_eq!(decoder.working_bytes(&config, &zeros([2, 16, 3, 2, 3])), 2 * one);
        }
        assert_eq!(
            encode_bytes(&config, 9, 16, 24, Precision::F32),
            2 * encode_bytes(&config, 9, 16, 24, Precision::BF16)
        );
    }
}
