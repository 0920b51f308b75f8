//! `config.json` of the VAE and of the landmark guider.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tiling::TileSizes;

/// Overlap of neighbouring tiles as a share of the tile's height: a class constant of the original.
const TILE_OVERLAP_HEIGHT: f64 = 1.0 / 6.0;
/// Overlap of neighbouring tiles as a share of the tile's width: a class constant of the original.
const TILE_OVERLAP_WIDTH: f64 = 1.0 / 5.0;
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
    /// Frames per latent frame: 4.
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
        let sizes = [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("latent_channels", self.latent_channels),
            ("layers_per_block", self.layers_per_block),
            ("norm_num_groups", self.norm_num_groups),
            ("sample_height", self.sample_height),
            ("sample_width", self.sample_width),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return wrong(field, "is 0; it must be at least 1".into());
        }
        if self.block_out_channels.is_empty() || self.block_out_channels.len() > 16 {
            return wrong("block_out_channels", format!("has {} levels; 1 to 16 work", self.block_out_channels.len()));
        }
        if let Some(width) =
            self.block_out_channels.iter().find(|width| **width == 0 || *width % self.norm_num_groups != 0)
        {
            let reason = format!("holds {width}, which norm_num_groups = {} does not divide", self.norm_num_groups);
            return wrong("block_out_channels", reason);
        }
        let ratio = self.temporal_compression_ratio;
        if !ratio.is_power_of_two() || self.time_levels() >= self.block_out_channels.len() {
            let largest = 1usize << (self.block_out_channels.len() - 1);
            return wrong(
                "temporal_compression_ratio",
                format!("is {ratio}; it must be a power of two, at most {largest} with this many levels"),
            );
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

    /// Levels that halve the number of frames: the first ones of the encoder and of the decoder.
    pub(crate) fn time_levels(&self) -> usize {
        self.temporal_compression_ratio.max(1).ilog2() as usize
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
        let halve = |n: usize, _| n.div_ceil(2);
        crate::batches::frame_batches(frames).iter().map(|batch| (0..self.time_levels()).fold(batch.len(), halve)).sum()
    }

    /// Frames that decoding `latent_frames` latent frames gives: an odd batch `n > 1` grows to
    /// `2 n - 1`, an even one to `2 n`, a single frame stays one.
    pub fn frames(&self, latent_frames: usize) -> usize {
        let double = |n: usize, _| if n % 2 == 1 { 2 * n - 1 } else { 2 * n };
        let batches = crate::batches::latent_batches(latent_frames);
        batches.iter().map(|batch| (0..self.time_levels()).fold(batch.len(), double)).sum()
    }

    /// Checks that a clip comes back from the VAE with as many frames as it went in.
    ///
    /// Encoding accepts every length, but only 1, `8 k` and `8 k + 1` frames come back as they
    /// were: 13 frames, for instance, give 4 latent frames, and those decode to 16.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the nearest lengths that work.
    pub fn check_clip(&self, frames: usize) -> Result<()> {
        let back = if frames == 0 { 0 } else { self.frames(self.latent_frames(frames)) };
        if frames > 0 && back == frames {
            return Ok(());
        }
        let fits = |n: &usize| self.frames(self.latent_frames(*n)) == *n;
        let shorter = (1..frames).rev().find(fits).unwrap_or(1);
        let longer = (frames + 1..).find(fits).unwrap_or(1);
        let reason = format!("{frames} frames come back as {back}; use {shorter} or {longer}");
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
