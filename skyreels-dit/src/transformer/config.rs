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
/// Height and width in pixels that the rotary positions of every other size are fitted into: the
/// published size, fixed in the pipeline of the original.
const BASE_PICTURE: [usize; 2] = [480, 720];
/// Pixels along a side of a latent: those of the autoencoder that the model is published with.
pub(crate) const LATENT_PIXELS: usize = 8;

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
    /// The timestep code is `[cos | sin]` when set, else `[sin | cos]`.
    pub flip_sin_to_cos: bool,
    /// Shift of the timestep code's frequencies.
    pub freq_shift: f64,
    /// Width of the time embedding.
    pub time_embed_dim: usize,
    /// Width between `pose_proj` and `text_proj`.
    pub text_embed_dim: usize,
    /// Number of blocks.
    pub num_layers: usize,
    /// Biases on the projections to queries, keys and values. (The projection of the result always
    /// has one.)
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
    /// Activation of the feed-forward layers: `gelu-approximate` is published; `gelu`, `geglu`,
    /// `geglu-approximate`, `swiglu` and `linear-silu` are the original's others.
    pub activation_fn: String,
    /// Activation of the time embedding: `silu` is published; `swish` (the same), `mish`, `gelu` and
    /// `relu` are the original's others.
    pub timestep_activation_fn: String,
    /// Learned scale and shift in the norms. (Those of the query and key norms are always there.)
    pub norm_elementwise_affine: bool,
    /// Epsilon of the blocks' and output norms. (That of the query and key norms is fixed.)
    pub norm_eps: f64,
    /// Divides the row and column of a sine-cosine position.
    pub spatial_interpolation_scale: f64,
    /// Divides the frame of a sine-cosine position.
    pub temporal_interpolation_scale: f64,
    /// Rotary positions in the attention; without them, sine-cosine positions are added to the
    /// tokens.
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

    /// Pixel frames that so many latent frames stand for.
    pub(super) fn pixel_frames(&self, latent_frames: usize) -> usize {
        latent_frames.saturating_sub(1).saturating_mul(self.temporal_compression_ratio).saturating_add(1)
    }

    /// Frames, rows and columns of patches of latents of this size. Rows and columns of latents that
    /// do not fill a patch are left out, as a convolution does.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is no frame, or a side is shorter than a patch.
    pub fn grid(&self, frames: usize, height: usize, width: usize) -> Result<[usize; 3]> {
        let patch = self.patch_size;
        if frames == 0 || height < patch || width < patch {
            return Err(Error::Shape {
                what: "latents (frames, height, width)",
                found: vec![frames, height, width],
                expected: format!("at least one frame, height and width of at least {patch}"),
            });
        }
        Ok([frames, height / patch, width / patch])
    }

    /// Rows and columns of patches of the published picture size, into which the rotary positions of
    /// every other size are fitted.
    pub fn base_grid(&self) -> [usize; 2] {
        BASE_PICTURE.map(|side| side / (LATENT_PIXELS * self.patch_size))
    }

    /// Divisors of sine-cosine positions: spatial, temporal.
    pub(super) fn position_scales(&self) -> [f64; 2] {
        [self.spatial_interpolation_scale, self.temporal_interpolation_scale]
    }

    /// Frames, rows and columns of patches that the learned positions are made for.
    pub fn sample_grid(&self) -> [usize; 3] {
        [self.latent_frames(), self.sample_height / self.patch_size, self.sample_width / self.patch_size]
    }
}
