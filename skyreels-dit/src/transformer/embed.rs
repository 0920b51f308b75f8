//! Latents and identity tokens to the transformer's tokens.

use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::module::linear as apply_linear;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn::{conv2d, linear, silu};

use super::config::{IDENTITY_TOKENS, TransformerConfig};
use super::patch::patchify;
use super::positions::sincos_positions;
use crate::{Error, Result};

/// Face projector: SigLIP tokens to the width that the text encoder had
/// (`patch_embed.pose_proj` of the original).
#[derive(Module, Debug)]
pub struct FaceProjector {
    expand: Linear,
    project: Linear,
}

impl FaceProjector {
    /// `project(silu(expand(tokens)))`.
    ///
    /// # Shapes
    /// `[batch, tokens, identity_width] -> [batch, tokens, text_embed_dim]`
    pub fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.project.forward(silu(self.expand.forward(tokens)))
    }
}

/// Both inputs to tokens of the transformer's width, with their learned positions
/// (`CogVideoXPatchEmbed`).
#[derive(Module, Debug)]
pub struct PatchEmbed {
    proj: Conv2d,
    text_proj: Linear,
    pose_proj: FaceProjector,
    /// `[1, identity tokens + video tokens, width]`: a buffer of the original, never trained.
    pos_embedding: Option<Param<Tensor<3>>>,
    #[module(skip)]
    config: TransformerConfig,
}

impl PatchEmbed {
    pub(super) fn new(config: &TransformerConfig, device: &Device) -> Self {
        let width = config.width();
        Self {
            proj: conv2d([config.in_channels, width], config.patch_size, config.patch_size, device),
            text_proj: linear(config.text_embed_dim, width, device),
            pose_proj: FaceProjector {
                expand: linear(config.identity_width(), config.face_hidden(), device),
                project: linear(config.face_hidden(), config.text_embed_dim, device),
            },
            pos_embedding: config.use_learned_positional_embeddings.then(|| initial_positions(config, device)),
            config: config.clone(),
        }
    }

    /// The type of weights and activations.
    pub(super) fn dtype(&self) -> DType {
        self.text_proj.weight.val().dtype()
    }

    /// True when the first layer of the face projector is all zero.
    pub(super) fn face_branch_is_dead(&self) -> bool {
        self.pose_proj.expand.weight.val().cast(DType::F32).abs().max().into_scalar::<f32>() == 0.0
    }

    /// Identity tokens of the transformer's width.
    ///
    /// # Shapes
    /// `[batch, tokens, identity_width] -> [batch, tokens, width]`
    ///
    /// # Errors
    /// [`Error::Shape`] when the tokens have another width, or, with learned positions, are not as
    /// many as the positions are.
    pub fn identity(&self, tokens: Tensor<3>) -> Result<Tensor<3>> {
        let [batch, count, width] = tokens.dims();
        let fixed = self.pos_embedding.is_some();
        if batch == 0 || count == 0 || width != self.config.identity_width() || (fixed && count != IDENTITY_TOKENS) {
            let count = if fixed { IDENTITY_TOKENS.to_string() } else { "tokens".into() };
            return Err(Error::Shape {
                what: "identity tokens",
                found: tokens.dims().to_vec(),
                expected: format!("[batch, {count}, {}]", self.config.identity_width()),
            });
        }
        let tokens = self.text_proj.forward(self.pose_proj.forward(tokens.cast(self.dtype())));
        Ok(match &self.pos_embedding {
            Some(positions) => tokens + positions.val().narrow(1, 0, count),
            None => tokens,
        })
    }

    /// Video tokens, frame by frame, row by row.
    ///
    /// # Shapes
    /// `[batch, frames, in_channels, height, width] -> [batch, frames * rows * columns, width]`
    ///
    /// # Errors
    /// [`Error::Shape`] for other channels or sizes that patches do not tile,
    /// [`Error::PictureSize`] for a height or width that the learned positions do not have.
    pub fn video(&self, latents: Tensor<5>) -> Result<Tensor<3>> {
        let [_, frames, channels, height, width] = latents.dims();
        let grid = self.config.grid(frames, height, width)?;
        if channels != self.config.in_channels {
            return Err(Error::Shape {
                what: "latents",
                found: latents.dims().to_vec(),
                expected: format!("[batch, frames, {}, height, width]", self.config.in_channels),
            });
        }
        let dtype = self.dtype();
        let patches = patchify(latents.cast(dtype), self.config.patch_size);
        let weight = self.proj.weight.val();
        let weight = weight.flatten::<2>(1, 3).swap_dims(0, 1);
        let tokens = apply_linear(patches, weight, self.proj.bias.as_ref().map(|bias| bias.val()));
        Ok(match self.video_positions(grid, [height, width])? {
            Some(positions) => tokens + positions.cast(dtype),
            None => tokens,
        })
    }

    /// The learned positions; for another number of frames the sine-cosine ones, as the original
    /// does.
    fn video_positions(&self, grid: [usize; 3], size: [usize; 2]) -> Result<Option<Tensor<3>>> {
        let Some(learned) = &self.pos_embedding else { return Ok(None) };
        let expected = [self.config.sample_height, self.config.sample_width];
        if size != expected {
            return Err(Error::PictureSize { found: size, expected });
        }
        let video_tokens = grid.iter().product();
        Ok(Some(if grid == self.config.sample_grid() {
            learned.val().narrow(1, IDENTITY_TOKENS, video_tokens)
        } else {
            let scales = [self.config.spatial_interpolation_scale, self.config.temporal_interpolation_scale];
            sincos_positions(self.config.width(), grid, scales, &learned.val().device()).unsqueeze()
        }))
    }
}

/// What the original creates the learned positions with: nothing for the identity tokens,
/// sine-cosine codes for the video.
fn initial_positions(config: &TransformerConfig, device: &Device) -> Param<Tensor<3>> {
    let (width, grid) = (config.width(), config.sample_grid());
    let scales = [config.spatial_interpolation_scale, config.temporal_interpolation_scale];
    let shape = [1, IDENTITY_TOKENS + grid.iter().product::<usize>(), width];
    let create = move |device: &Device, _: bool| {
        let identity = Tensor::<2>::zeros([IDENTITY_TOKENS, width], (device, DType::F32));
        Tensor::cat(vec![identity, sincos_positions(width, grid, scales, device)], 0).unsqueeze()
    };
    Param::uninitialized(ParamId::new(), create, device.clone(), false, shape.into())
}
