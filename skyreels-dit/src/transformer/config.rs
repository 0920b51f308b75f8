//! `transformer/config.json`.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Identity tokens that the published model attends to: the 27 x 27 patches of SigLIP so400m.
///
/// The published `max_text_seq_length` says 226, a leftover of the text model the weights began
/// from; the rows of `patch_embed.pos_embedding` say 729 + 17550.
pub const IDENTITY_TOKENS: usize = 729;
/// Width of the identity tokens: SigLIP so400m. Not part of the published configuration.
const IDENTITY_WIDTH: usize = 1152;
/// The hidden layer of the face projector is this many times as wide as its input.
const FACE_HIDDEN_FACTOR: usize = 3;
/// The feed-forward layer of a block is this many times as wide as the block.
const FEED_FORWARD_FACTOR: usize = 4;

/// Sizes of the transformer, as the published `config.json` has them.
///
/// Unknown fields are ignored, missing ones are errors; the optional ones at the end are not part
/// of the published file, and their absence means the published model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Attention heads of a block.
    pub num_attention_heads: usize,
    /// Width of a head; the model is `num_attention_heads * attention_head_dim` wide.
    pub attention_head_dim: usize,
    /// Channels in: noisy, control and image latents.
    pub in_channels: usize,
    /// Channels out: the predicted velocity.
    pub out_channels: usize,
    /// The timestep code is `[cos | sin]` when set.
    pub flip_sin_to_cos: bool,
    /// Shift of the timestep code's frequencies.
    pub freq_shift: f64,
    /// Width of the time embedding.
    pub time_embed_dim: usize,
    /// Width between `pose_proj` and `text_proj`.
    pub text_embed_dim: usize,
    /// Number of blocks.
    pub num_layers: usize,
    /// Biases on the attention's projections.
    pub attention_bias: bool,
    /// Width of the latents that the learned positions are made for.
    pub sample_width: usize,
    /// Height of the latents that the learned positions are made for.
    pub sample_height: usize,
    /// Pixel frames that the learned positions are made for.
    pub sample_frames: usize,
    /// Side of a patch in latents.
    pub patch_size: usize,
    /// Pixel frames of a latent frame, after the first.
    pub temporal_compression_ratio: usize,
    /// Activation of the feed-forward layers.
    pub activation_fn: String,
    /// Activation of the time embedding.
    pub timestep_activation_fn: String,
    /// Learned scale and shift in the norms.
    pub norm_elementwise_affine: bool,
    /// Epsilon of the blocks' and output norms. (That of the query and key norms is fixed.)
    pub norm_eps: f64,
    /// Divides the row and column of a sine-cosine position.
    pub spatial_interpolation_scale: f64,
    /// Divides the frame of a sine-cosine position.
    pub temporal_interpolation_scale: f64,
    /// Rotary positions in the attention.
    pub use_rotary_positional_embeddings: bool,
    /// A learned position added to every token.
    pub use_learned_positional_embeddings: bool,
    /// Width of the identity tokens; 1152 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pose_embed_width: Option<usize>,
    /// Hidden width of the face projector; three times `pose_embed_width` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pose_proj_hidden: Option<usize>,
    /// Temporal patches of CogVideoX 1.5: must be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch_size_t: Option<usize>,
    /// Offset embedding of CogVideoX 1.5: must be absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ofs_embed_dim: Option<usize>,
}

impl TransformerConfig {
    /// The published model, SkyReels-A1-5B.
    pub fn a1_5b() -> Self {
        Self {
            num_attention_heads: 48,
            attention_head_dim: 64,
            in_channels: 48,
            out_channels: 16,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            time_embed_dim: 512,
            text_embed_dim: 4096,
            num_layers: 42,
            attention_bias: true,
            sample_width: 90,
            sample_height: 60,
            sample_frames: 49,
            patch_size: 2,
            temporal_compression_ratio: 4,
            activation_fn: "gelu-approximate".into(),
            timestep_activation_fn: "silu".into(),
            norm_elementwise_affine: true,
            norm_eps: 1e-5,
            spatial_interpolation_scale: 1.875,
            temporal_interpolation_scale: 1.0,
            use_rotary_positional_embeddings: true,
            use_learned_positional_embeddings: true,
            pose_embed_width: None,
            pose_proj_hidden: None,
            patch_size_t: None,
            ofs_embed_dim: None,
        }
    }

    /// Width of a token inside the model.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Width of an identity token.
    pub fn identity_width(&self) -> usize {
        self.pose_embed_width.unwrap_or(IDENTITY_WIDTH)
    }

    /// Hidden width of the face projector.
    pub fn face_hidden(&self) -> usize {
        self.pose_proj_hidden.unwrap_or(FACE_HIDDEN_FACTOR * self.identity_width())
    }

    /// Hidden width of the blocks' feed-forward layers.
    pub fn feed_forward(&self) -> usize {
        FEED_FORWARD_FACTOR * self.width()
    }

    /// Latent frames of `sample_frames` pixel frames.
    pub fn latent_frames(&self) -> usize {
        (self.sample_frames - 1) / self.temporal_compression_ratio + 1
    }

    /// Frames, rows and columns of patches of latents of this size.
    ///
    /// # Errors
    /// [`Error::Shape`] when the patches do not tile the latents.
    pub fn grid(&self, frames: usize, height: usize, width: usize) -> Result<[usize; 3]> {
        let patch = self.patch_size;
        let tiles = |size: usize| size > 0 && size.is_multiple_of(patch);
        if frames == 0 || !tiles(height) || !tiles(width) {
            return Err(Error::Shape {
                what: "latents (frames, height, width)",
                found: vec![frames, height, width],
                expected: format!("at least one frame, height and width that are multiples of {patch}"),
            });
        }
        Ok([frames, height / patch, width / patch])
    }

    /// Frames, rows and columns of patches that the learned positions are made for.
    pub fn sample_grid(&self) -> [usize; 3] {
        [self.latent_frames(), self.sample_height / self.patch_size, self.sample_width / self.patch_size]
    }

    /// Checks that this crate has the model that the fields describe.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that does not fit.
    pub fn validate(&self) -> Result<()> {
        let check = |fits: bool, field: &'static str, value: &dyn std::fmt::Debug, help: &str| {
            if fits {
                return Ok(());
            }
            Err(Error::Config { model: "transformer", field, value: format!("{value:?}"), help: help.to_string() })
        };
        for (field, value) in [
            ("num_attention_heads", self.num_attention_heads),
            ("attention_head_dim", self.attention_head_dim),
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("time_embed_dim", self.time_embed_dim),
            ("text_embed_dim", self.text_embed_dim),
            ("num_layers", self.num_layers),
            ("sample_width", self.sample_width),
            ("sample_height", self.sample_height),
            ("sample_frames", self.sample_frames),
            ("patch_size", self.patch_size),
            ("temporal_compression_ratio", self.temporal_compression_ratio),
            ("pose_embed_width", self.identity_width()),
            ("pose_proj_hidden", self.face_hidden()),
        ] {
            check((1..=MAX_SIZE).contains(&value), field, &value, "a size between 1 and 1048576 is needed")?;
        }
        let (head, patch) = (self.attention_head_dim, self.patch_size);
        check(head.is_multiple_of(16), "attention_head_dim", &head, "the rotary tables need a multiple of 16")?;
        let tiled = |size: usize| size.is_multiple_of(patch);
        check(tiled(self.sample_width), "sample_width", &self.sample_width, "a multiple of patch_size is needed")?;
        check(tiled(self.sample_height), "sample_height", &self.sample_height, "a multiple of patch_size is needed")?;
        check(self.flip_sin_to_cos, "flip_sin_to_cos", &self.flip_sin_to_cos, "only true is supported")?;
        check(self.freq_shift == 0.0, "freq_shift", &self.freq_shift, "only 0 is supported")?;
        check(self.attention_bias, "attention_bias", &self.attention_bias, "only true is supported")?;
        let activation = &self.activation_fn;
        check(activation == "gelu-approximate", "activation_fn", activation, "only gelu-approximate is supported")?;
        let activation = &self.timestep_activation_fn;
        check(activation == "silu", "timestep_activation_fn", activation, "only silu is supported")?;
        let affine = self.norm_elementwise_affine;
        check(affine, "norm_elementwise_affine", &affine, "only true is supported")?;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        check(positive(self.norm_eps), "norm_eps", &self.norm_eps, "a positive number is needed")?;
        let scale = self.spatial_interpolation_scale;
        check(positive(scale), "spatial_interpolation_scale", &scale, "a positive number is needed")?;
        let scale = self.temporal_interpolation_scale;
        check(positive(scale), "temporal_interpolation_scale", &scale, "a positive number is needed")?;
        let rotary = self.use_rotary_positional_embeddings;
        check(rotary, "use_rotary_positional_embeddings", &rotary, "only true is supported")?;
        check(self.patch_size_t.is_none(), "patch_size_t", &self.patch_size_t, "CogVideoX 1.5 is not supported")?;
        check(self.ofs_embed_dim.is_none(), "ofs_embed_dim", &self.ofs_embed_dim, "CogVideoX 1.5 is not supported")
    }
}

/// Largest size accepted from a configuration file: products of a few of them stay far from
/// overflow.
const MAX_SIZE: usize = 1 << 20;
