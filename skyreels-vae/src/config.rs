//! `config.json` of the VAE and of the landmark guider.

use burn::tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize};

use crate::batches::{Batching, doubled, halved};
use crate::error::{Error, Result};
use crate::tiling::TileSizes;

/// Overlap of neighbouring tiles as a share of the tile's height: a class constant of the original.
const TILE_OVERLAP_HEIGHT: f64 = 1.0 / 6.0;
/// Overlap of neighbouring tiles as a share of the tile's width: a class constant of the original.
const TILE_OVERLAP_WIDTH: f64 = 1.0 / 5.0;
/// Most channels of a configuration file that are believed.
const MAX_CHANNELS: usize = 1 << 16;
/// Most levels of resolution.
const MAX_LEVELS: usize = 16;
/// Most residual blocks of all levels together. Each one costs memory before it is loaded.
const MAX_BLOCKS: usize = 1 << 12;
/// Longest side of a frame that a model is made for.
const MAX_SAMPLE: usize = 1 << 20;
/// The only blocks of the published models.
const DOWN_BLOCK: &str = "CogVideoXDownBlock3D";
/// The only blocks of the published models.
const UP_BLOCK: &str = "CogVideoXUpBlock3D";

/// The published configuration of `AutoencoderKLCogVideoX`. Fields that do not change the
/// function are left alone; a field without a documented default is required.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaeConfig {
    /// Colours of a frame read by the encoder: 3.
    pub in_channels: usize,
    /// Colours of a frame written by the decoder: 3.
    pub out_channels: usize,
    /// Width of each resolution level, finest first: `[128, 256, 256, 512]`.
    pub block_out_channels: Vec<usize>,
    /// Channels of the latents: 16.
    pub latent_channels: usize,
    /// Residual blocks of one encoder level; the decoder has one more.
    pub layers_per_block: usize,
    /// Activation, `silu`.
    pub act_fn: String,
    /// Epsilon of the norms inside the encoder's residual blocks. All other norms use 1e-6.
    pub norm_eps: f64,
    /// Groups of every norm.
    pub norm_num_groups: usize,
    /// Frames per latent frame: 4. (`4.0` is read too: the original calls it a float.)
    #[serde(deserialize_with = "whole")]
    pub temporal_compression_ratio: usize,
    /// Height the model was made for; half of it is the height of a tile.
    pub sample_height: usize,
    /// Width the model was made for; half of it is the width of a tile.
    pub sample_width: usize,
    /// Latents are multiplied by this after encoding and divided by it before decoding.
    pub scaling_factor: f64,
    /// Kinds of the encoder's blocks; absent means the only supported one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down_block_types: Vec<String>,
    /// Kinds of the decoder's blocks; absent means the only supported one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub up_block_types: Vec<String>,
    /// A 1x1 convolution after the encoder, which no published model has.
    #[serde(default)]
    pub use_quant_conv: bool,
    /// A 1x1 convolution before the decoder, which no published model has.
    #[serde(default)]
    pub use_post_quant_conv: bool,
}

impl VaeConfig {
    /// The configuration that SkyReels-A1 publishes for its VAE and its landmark guider.
    pub fn published() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![128, 256, 256, 512],
            latent_channels: 16,
            layers_per_block: 3,
            act_fn: "silu".into(),
            norm_eps: 1e-6,
            norm_num_groups: 32,
            temporal_compression_ratio: 4,
            sample_height: 480,
            sample_width: 720,
            scaling_factor: 0.7,
            down_block_types: vec![DOWN_BLOCK.into(); 4],
            up_block_types: vec![UP_BLOCK.into(); 4],
            use_quant_conv: false,
            use_post_quant_conv: false,
        }
    }

    /// Checks that the fields describe a network of this family.
    ///
    /// # Errors
    /// [`Error::Config`] for values that contradict each other, [`Error::Unsupported`] for
    /// variants that the published models do not use.
    pub fn validate(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_variant()
    }

    fn check_sizes(&self) -> Result<()> {
        let wrong = |field, reason: String| Err(Error::Config { field, reason });
        let levels = self.block_out_channels.len();
        if !(1..=MAX_LEVELS).contains(&levels) {
            return wrong("block_out_channels", format!("has {levels} levels; 1 to {MAX_LEVELS} work"));
        }
        for (field, size, most) in [
            ("in_channels", self.in_channels, MAX_CHANNELS),
            ("out_channels", self.out_channels, MAX_CHANNELS),
            ("latent_channels", self.latent_channels, MAX_CHANNELS),
            ("layers_per_block", self.layers_per_block, MAX_BLOCKS / levels),
            ("norm_num_groups", self.norm_num_groups, MAX_CHANNELS),
            ("sample_height", self.sample_height, MAX_SAMPLE),
            ("sample_width", self.sample_width, MAX_SAMPLE),
        ] {
            if !(1..=most).contains(&size) {
                return wrong(field, format!("is {size}; it must be between 1 and {most}"));
            }
        }
        let groups = self.norm_num_groups;
        for &width in &self.block_out_channels {
            if !(1..=MAX_CHANNELS).contains(&width) {
                return wrong("block_out_channels", format!("holds {width}; 1 to {MAX_CHANNELS} channels work"));
            }
            if width % groups != 0 {
                let reason = format!("holds {width}, which norm_num_groups = {groups} does not divide");
                return wrong("block_out_channels", reason);
            }
        }
        let ratio = self.temporal_compression_ratio;
        if !ratio.is_power_of_two() {
            return wrong("temporal_compression_ratio", format!("is {ratio}; it must be a power of two"));
        }
        for (field, value) in [("norm_eps", self.norm_eps), ("scaling_factor", self.scaling_factor)] {
            if !(value.is_finite() && value > 0.0) {
                return wrong(field, format!("is {value}; it must be positive"));
            }
        }
        Ok(())
    }

    fn check_variant(&self) -> Result<()> {
        let refuse = |field, value: String, help| Err(Error::Unsupported { field, value, help });
        if self.act_fn != "silu" {
            return refuse("act_fn", self.act_fn.clone(), "only silu is");
        }
        if self.use_quant_conv || self.use_post_quant_conv {
            let field = if self.use_quant_conv { "use_quant_conv" } else { "use_post_quant_conv" };
            return refuse(field, "true".into(), "the published models have no such convolution");
        }
        for (field, kinds, known) in [
            ("down_block_types", &self.down_block_types, DOWN_BLOCK),
            ("up_block_types", &self.up_block_types, UP_BLOCK),
        ] {
            if let Some(other) = kinds.iter().find(|kind| *kind != known) {
                return refuse(field, other.clone(), "only CogVideoX's own 3-D blocks are");
            }
            if !kinds.is_empty() && kinds.len() != self.block_out_channels.len() {
                let reason = format!("names {} blocks for {} levels", kinds.len(), self.block_out_channels.len());
                return Err(Error::Config { field, reason });
            }
        }
        Ok(())
    }

    /// Levels that halve the number of frames: the first ones of the encoder and of the decoder. The
    /// last level changes no size, so there may be fewer than `temporal_compression_ratio` says.
    pub(crate) fn time_levels(&self) -> usize {
        let wanted = self.temporal_compression_ratio.max(1).ilog2() as usize;
        wanted.min(self.block_out_channels.len().saturating_sub(1))
    }

    /// Pixels per latent along height and width: 8.
    pub fn spatial_compression_ratio(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    /// Tile size and overlap as the original takes them from the configuration.
    pub fn tile_sizes(&self) -> TileSizes {
        TileSizes {
            height: self.sample_height / 2,
            width: self.sample_width / 2,
            overlap_height: TILE_OVERLAP_HEIGHT,
            overlap_width: TILE_OVERLAP_WIDTH,
        }
    }

    /// Latent frames that encoding `frames` frames gives.
    ///
    /// Frames go through the encoder in batches ([`frame_batches`](crate::frame_batches)); each
    /// level that compresses time maps an odd count `n` to `(n + 1) / 2` and an even one to `n / 2`.
    pub fn latent_frames(&self, frames: usize) -> usize {
        self.through(Batching::of_frames(frames), halved)
    }

    /// Frames that decoding `latent_frames` latent frames gives: an odd batch `n` grows to `2 n - 1`
    /// on each level that expands time, an even one to `2 n`.
    pub fn frames(&self, latent_frames: usize) -> usize {
        self.through(Batching::of_latents(latent_frames), doubled)
    }

    /// Frames of all batches after the levels that change their number.
    fn through(&self, batching: Batching, level: fn(usize) -> usize) -> usize {
        let sum = batching.sum(|batch| (0..self.time_levels()).fold(batch, |frames, _| level(frames)) as u64);
        usize::try_from(sum).unwrap_or(usize::MAX)
    }

    /// Checks that a clip comes back from the VAE with as many frames as it went in.
    ///
    /// Encoding accepts every length, but of the published model only 1, `8 k` and `8 k + 1` frames
    /// come back as they were: 13 frames, for instance, give 4 latent frames, and those decode to 16.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the nearest lengths that work.
    pub fn check_clip(&self, frames: usize) -> Result<()> {
        let back = |frames: usize| self.frames(self.latent_frames(frames));
        // The largest number stands for those beyond it.
        let fits = |frames: &usize| (1..usize::MAX).contains(frames) && back(*frames) == *frames;
        if fits(&frames) {
            return Ok(());
        }
        // What fits repeats itself with the batches: one period holds the nearest lengths.
        let shorter = (frames.saturating_sub(Batching::PERIOD)..frames).rev().find(fits).unwrap_or(1);
        let longer = (frames..=frames.saturating_add(Batching::PERIOD)).find(fits);
        let longer = longer.filter(|longer| *longer != shorter).map(|longer| format!(" or {longer}"));
        let (back, longer) = (back(frames), longer.unwrap_or_default());
        let reason = format!("{frames} frames come back as {back}; use {shorter}{longer}");
        Err(Error::Shape { action: "encode", shape: vec![frames], reason })
    }

    /// Latents as the denoiser takes them: times `scaling_factor`. (`invert_scale_latents` is
    /// ignored, as SkyReels-A1 ignores it.)
    pub fn scale<const D: usize>(&self, latents: Tensor<D>) -> Tensor<D> {
        latents.mul_scalar(self.scaling_factor)
    }

    /// Latents as the decoder takes them: divided by `scaling_factor`.
    pub fn unscale<const D: usize>(&self, latents: Tensor<D>) -> Tensor<D> {
        latents.div_scalar(self.scaling_factor)
    }
}

/// A whole number, also where it is written as a float.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.fract() == 0.0 && (0.0..=MAX_SAMPLE as f64).contains(&number) {
        return Ok(number as usize);
    }
    Err(serde::de::Error::custom(format!(
        "temporal_compression_ratio is {number}, which is not a whole number in reach"
    )))
}
