//! Spatial tiles: where they lie, how far they overlap, and which sizes fit together again.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::config::VaeConfig;
use crate::error::{Error, Result};

/// Size and overlap of tiles, under the names that `enable_tiling` of the original has for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TileSizes {
    /// Height of a tile in pixels.
    #[serde(rename = "tile_sample_min_height")]
    pub height: usize,
    /// Width of a tile in pixels.
    #[serde(rename = "tile_sample_min_width")]
    pub width: usize,
    /// Share of a tile's height that it has in common with the next one.
    #[serde(rename = "tile_overlap_factor_height")]
    pub overlap_height: f64,
    /// Share of a tile's width that it has in common with the next one.
    #[serde(rename = "tile_overlap_factor_width")]
    pub overlap_width: f64,
}

/// Whether frames are cut into tiles.
///
/// Tiles bound the memory, and they change the result: every norm sees one tile only.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Tiling {
    /// Never: what the landmark guider of the original does.
    #[default]
    Off,
    /// Frames larger than a tile, in tiles of the size that the configuration implies: what the
    /// VAE of the original does.
    On,
    /// As `On`, with tiles of another size.
    Sized(TileSizes),
    /// As `On`, but only where the whole frame would need more working memory than this many
    /// bytes: [`encode_bytes`](crate::encode_bytes) or [`decode_bytes`](crate::decode_bytes) in the
    /// precision of the weights, times the entries of the batch axis.
    Auto {
        /// Working memory to stay below, beside weights and results.
        bytes: u64,
    },
}

/// Which way a tile goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Pixels to latents.
    Encode,
    /// Latents to pixels.
    Decode,
}

impl Direction {
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }
}

/// The tiles of one frame size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TilePlan {
    /// Tiles from top to bottom.
    pub rows: TileAxis,
    /// Tiles from left to right.
    pub columns: TileAxis,
}

/// The tiles along one axis. Ranges are in units of the input, `blend` and `keep` in units of
/// the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileAxis {
    /// What each tile covers of the input; the last ones may be shorter.
    pub ranges: Vec<Range<usize>>,
    /// Length over which a tile fades into the one before it.
    pub blend: usize,
    /// Length of a tile that stays; the rest belongs to the next tile.
    pub keep: usize,
}

impl TilePlan {
    /// Plans the tiles of a frame of `height x width` pixels (to encode) or latents (to decode).
    /// `None` when the frame is not larger than one tile.
    ///
    /// # Errors
    /// [`Error::Tiles`] where an axis has several tiles and what each keeps of them is not as long as
    /// the step to the next one: the original then returns frames of another size than it was asked
    /// for. Also for tiles too small to encode.
    pub fn new(
        config: &VaeConfig,
        sizes: &TileSizes,
        direction: Direction,
        height: usize,
        width: usize,
    ) -> Result<Option<Self>> {
        let ratio = config.spatial_compression_ratio();
        let unit = if direction == Direction::Encode { 1 } else { ratio };
        if height <= sizes.height / unit && width <= sizes.width / unit {
            return Ok(None);
        }
        let axis = |axis, tile, overlap, length| {
            TileAxis::new(direction, ratio, tile, overlap, length).map_err(|reason| Error::Tiles {
                action: direction.action(),
                axis,
                reason,
            })
        };
        Ok(Some(Self {
            rows: axis("height", sizes.height, sizes.overlap_height, height)?,
            columns: axis("width", sizes.width, sizes.overlap_width, width)?,
        }))
    }

    /// Number of tiles.
    pub fn tiles(&self) -> usize {
        self.rows.ranges.len() * self.columns.ranges.len()
    }
}

impl TileAxis {
    /// `pixels` is the length of a tile in pixels, `length` that of the axis in input units.
    fn new(direction: Direction, ratio: usize, pixels: usize, overlap: f64, length: usize) -> Result<Self, String> {
        if !(0.0..1.0).contains(&overlap) {
            return Err(format!("the overlap factor is {overlap}; it must be in [0, 1)"));
        }
        let latents = pixels / ratio;
        // Products truncate as in the original.
        let share = |length: usize, factor: f64| (length as f64 * factor) as usize;
        let (tile, output, factor) = match direction {
            Direction::Encode => (pixels, latents, 1.0 / ratio as f64),
            Direction::Decode => (latents, pixels, ratio as f64),
        };
        let step = share(tile, 1.0 - overlap);
        let blend = share(output, overlap);
        let keep = output - blend;
        // A single tile is kept whole: it is no longer than a step, and a step never exceeds what is kept.
        if step == 0 || length > step && step as f64 * factor != keep as f64 {
            return Err(format!(
                "tiles of {pixels} pixels ({latents} latents) with an overlap of {overlap} step by {step} and keep \
                 {keep}, which is not the same piece of the frame; use a tile of a multiple of {ratio} pixels whose \
                 overlap is a whole number of latents, or no tiling"
            ));
        }
        let ranges: Vec<Range<usize>> =
            (0..length).step_by(step).map(|start| start..(start + tile).min(length)).collect();
        match ranges.last() {
            Some(last) if direction == Direction::Encode && last.len() < ratio => Err(format!(
                "the last tile would be {} pixels long, less than one latent of {ratio}; use a multiple of {ratio}",
                last.len()
            )),
            _ => Ok(Self { ranges, blend, keep }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(direction: Direction, height: usize, width: usize) -> TilePlan {
        let config = VaeConfig::published();
        TilePlan::new(&config, &config.tile_sizes(), direction, height, width).unwrap().unwrap()
    }

    fn starts(axis: &TileAxis) -> Vec<usize> {
        axis.ranges.iter().map(|range| range.start).collect()
    }

    #[test]
    fn published_frames_are_cut_as_the_original_cuts_them() {
        let encode = plan(Direction::Encode, 480, 720);
        assert_eq!((starts(&encode.rows), encode.rows.blend, encode.rows.keep), (vec![0, 200, 400], 5, 25));
        assert_eq!((starts(&encode.columns), encode.columns.blend, encode.columns.keep), (vec![0, 288, 576], 9, 36));
        assert_eq!((encode.rows.ranges[2].len(), encode.columns.ranges[2].len()), (80, 144));
        let decode = plan(Direction::Decode, 60, 90);
        assert_eq!((starts(&decode.rows), decode.rows.blend, decode.rows.keep), (vec![0, 25, 50], 40, 200));
        assert_eq!((starts(&decode.columns), decode.columns.blend, decode.columns.keep), (vec![0, 36, 72], 72, 288));
        assert_eq!((decode.rows.ranges[2].len(), decode.columns.ranges[2].len()), (10, 18));
    }

    #[test]
    fn frames_of_one_tile_are_not_cut() {
        let config = VaeConfig::published();
        let sizes = config.tile_sizes();
        assert_eq!(TilePlan::new(&config, &sizes, Direction::Encode, 240, 360).unwrap(), None);
        assert_eq!(TilePlan::new(&config, &sizes, Direction::Decode, 30, 45).unwrap(), None);
    }

    #[test]
    fn overlaps_that_do_not_divide_the_latent_tile_are_refused() {
        let config = VaeConfig::published();
        let sizes = TileSizes { height: 256, ..config.tile_sizes() };
        for direction in [Direction::Encode, Direction::Decode] {
            let message = TilePlan::new(&config, &sizes, direction, 480, 720).unwrap_err().to_string();
            assert!(message.contains("height") && message.contains("256"), "{message}");
        }
        let sizes = TileSizes { overlap_width: 1.0, ..config.tile_sizes() };
        assert!(TilePlan::new(&config, &sizes, Direction::Encode, 480, 720).is_err());
    }

    #[test]
    fn an_axis_of_one_tile_may_have_any_overlap() {
        // 13 latents step by 10 and keep 87 pixels: wrong with a second tile, right without.
        let sizes = TileSizes { height: 104, width: 40, overlap_height: 1.0 / 6.0, overlap_width: 0.2 };
        let config = VaeConfig::published();
        let plan = TilePlan::new(&config, &sizes, Direction::Decode, 8, 12).unwrap().unwrap();
        assert_eq!((starts(&plan.rows), starts(&plan.columns)), (vec![0], vec![0, 4, 8]));
        assert_eq!(plan.rows.ranges[0], 0..8);
        // A tile of 13 latents that begins at 10 is a second one, though 11 latents would fit the first.
        assert!(TilePlan::new(&config, &sizes, Direction::Decode, 10, 12).is_ok());
        assert!(TilePlan::new(&config, &sizes, Direction::Decode, 11, 12).is_err());
    }

    #[test]
    fn tiles_of_broken_latents_are_taken_where_their_steps_meet() {
        // 60 pixels are 7 latents; the step of 48 pixels is the 6 latents that are kept.
        let axis = TileAxis::new(Direction::Encode, 8, 60, 0.2, 96).unwrap();
        assert_eq!((axis.ranges, axis.blend, axis.keep), (vec![0..60, 48..96], 1, 6));
        assert!(TileAxis::new(Direction::Decode, 8, 60, 0.2, 12).is_err());
    }

    proptest! {
        #[test]
        fn the_kept_parts_cover_the_frame_once(
            latents in 1usize..12, shared in 0usize..11, length in 1usize..80, encode: bool,
        ) {
            prop_assume!(shared < latents);
            let ratio = 8;
            let direction = if encode { Direction::Encode } else { Direction::Decode };
            let overlap = shared as f64 / latents as f64;
            let (unit, out) = if encode { (ratio, 1) } else { (1, ratio) };
            // A factor that rounds below a whole number of latents is refused: nothing to prove then.
            if let Ok(axis) = TileAxis::new(direction, ratio, latents * ratio, overlap, length * unit) {
                let mut covered = 0;
                for range in &axis.ranges {
                    prop_assert_eq!(range.start * out, covered * unit);
                    covered += (range.len() * out / unit).min(axis.keep);
                }
                prop_assert_eq!(covered, length * out);
            }
        }

        #[test]
        fn a_single_tile_is_kept_whole(
            pixels in 8usize..200, overlap in 0.0f64..0.99, length in 1usize..200, encode: bool,
        ) {
            let direction = if encode { Direction::Encode } else { Direction::Decode };
            if let Ok(axis) = TileAxis::new(direction, 8, pixels, overlap, length) && axis.ranges.len() == 1 {
                let output = if encode { length / 8 } else { length * 8 };
                prop_assert!(output <= axis.keep, "{output} > {}", axis.keep);
            }
        }
    }
}
