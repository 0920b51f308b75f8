//! Which configurations are a model.

use std::fmt::Debug;

use super::config::TransformerConfig;
use crate::activation::{feed_forward_activation, timestep_activation};
use crate::{Error, Result};

/// Widest layer of a configuration file that is believed.
const MAX_WIDTH: usize = 1 << 20;
/// Most channels of latents.
const MAX_CHANNELS: usize = 1 << 16;
/// Most blocks: a hundred times the published number. Each one costs memory before it is loaded.
const MAX_LAYERS: usize = 1 << 12;
/// Longest side of a patch in latents.
const MAX_PATCH: usize = 1 << 10;
/// Longest side of latents, and most frames, that positions are made for.
const MAX_SAMPLE: usize = 1 << 16;
/// Most positions of a learned table.
const MAX_POSITIONS: usize = 1 << 32;
/// The frame takes a quarter of a position, row and column three eighths each, all in pairs.
const POSITION_MULTIPLE: usize = 16;

impl TransformerConfig {
    /// Checks that this crate has the model that the fields describe, and that its sizes are those
    /// of a model: no product of them overflows afterwards.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that does not fit.
    pub fn validate(&self) -> Result<()> {
        self.check_sizes()?;
        self.check_positions()?;
        let activation = &self.activation_fn;
        check(
            feed_forward_activation(activation).is_some(),
            "activation_fn",
            activation,
            "gelu-approximate, gelu, geglu, geglu-approximate, swiglu and linear-silu are supported",
        )?;
        let activation = &self.timestep_activation_fn;
        check(
            timestep_activation(activation).is_some(),
            "timestep_activation_fn",
            activation,
            "silu, swish, mish, gelu and relu are supported",
        )?;
        let half = (self.width() / 2) as f64;
        check(
            self.freq_shift.is_finite() && self.freq_shift < half,
            "freq_shift",
            &self.freq_shift,
            "a number below half the width is needed",
        )?;
        for (field, value) in [
            ("norm_eps", self.norm_eps),
            ("spatial_interpolation_scale", self.spatial_interpolation_scale),
            ("temporal_interpolation_scale", self.temporal_interpolation_scale),
        ] {
            check(value > 0.0 && value.is_finite(), field, &value, "a positive number is needed")?;
        }
        check(self.patch_size_t.is_none(), "patch_size_t", &self.patch_size_t, "CogVideoX 1.5 is not supported")?;
        check(self.ofs_embed_dim.is_none(), "ofs_embed_dim", &self.ofs_embed_dim, "CogVideoX 1.5 is not supported")
    }

    fn check_sizes(&self) -> Result<()> {
        for (field, value, most) in [
            ("num_attention_heads", self.num_attention_heads, MAX_WIDTH),
            ("attention_head_dim", self.attention_head_dim, MAX_WIDTH),
            ("in_channels", self.in_channels, MAX_CHANNELS),
            ("out_channels", self.out_channels, MAX_CHANNELS),
            ("time_embed_dim", self.time_embed_dim, MAX_WIDTH),
            ("text_embed_dim", self.text_embed_dim, MAX_WIDTH),
            ("num_layers", self.num_layers, MAX_LAYERS),
            ("patch_size", self.patch_size, MAX_PATCH),
            ("sample_width", self.sample_width, MAX_SAMPLE),
            ("sample_height", self.sample_height, MAX_SAMPLE),
            ("sample_frames", self.sample_frames, MAX_SAMPLE),
            ("temporal_compression_ratio", self.temporal_compression_ratio, MAX_SAMPLE),
            ("pose_embed_width", self.pose_embed_width.unwrap_or(1), MAX_WIDTH),
            ("pose_proj_hidden", self.pose_proj_hidden.unwrap_or(1), MAX_WIDTH),
        ] {
            check((1..=most).contains(&value), field, &value, &format!("a size between 1 and {most} is needed"))?;
        }
        // Both factors are within bounds: their product is a number.
        let width = self.width();
        check(
            width <= MAX_WIDTH,
            "num_attention_heads",
            &self.num_attention_heads,
            "times attention_head_dim is too wide",
        )
    }

    fn check_positions(&self) -> Result<()> {
        let (rotary, learned) = (self.use_rotary_positional_embeddings, self.use_learned_positional_embeddings);
        let fits = |width: usize| width.is_multiple_of(POSITION_MULTIPLE);
        let head = self.attention_head_dim;
        check(!rotary || fits(head), "attention_head_dim", &head, "the rotary tables need a multiple of 16")?;
        check(
            fits(self.width()),
            "num_attention_heads",
            &self.num_attention_heads,
            "times attention_head_dim must be a multiple of 16 for the positions",
        )?;
        if !learned {
            return Ok(());
        }
        check(
            rotary,
            "use_learned_positional_embeddings",
            &learned,
            "the original has learned positions only beside rotary ones",
        )?;
        let patch = self.patch_size;
        check(
            patch <= self.sample_height.min(self.sample_width),
            "patch_size",
            &patch,
            "a patch must fit into sample_height and sample_width",
        )?;
        let positions = self.sample_grid().iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        check(
            positions.is_some_and(|count| count <= MAX_POSITIONS),
            "sample_frames",
            &self.sample_frames,
            "so many learned positions are not a model's",
        )
    }
}

fn check(fits: bool, field: &'static str, value: &dyn Debug, help: &str) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(Error::Config { model: "transformer", field, value: format!("{value:?}"), help: help.to_string() })
}
