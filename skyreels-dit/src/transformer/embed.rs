//! Latents and identity tokens to the transformer's tokens.

use burn::module::{Module, Param, ParamId};
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::module::linear as apply_linear;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn::{conv2d, linear, project, silu};

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
        project(&self.project, silu(project(&self.expand, tokens)))
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

    /// Identity tokens of the transformer's width, without positions.
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
        Ok(project(&self.text_proj, self.pose_proj.forward(tokens.cast(self.dtype()))))
    }

    /// Video tokens without positions, frame by frame, row by row. Latents that do not fill a patch
    /// are not seen.
    ///
    /// # Shapes
    /// `[batch, frames, in_channels, height, width] -> [batch, frames * rows * columns, width]`
    ///
    /// # Errors
    /// [`Error::Shape`] for other channels or sizes without a patch.
    pub fn video(&self, latents: Tensor<5>) -> Result<Tensor<3>> {
        let [_, frames, channels, height, width] = latents.dims();
        let [_, rows, columns] = self.config.grid(frames, height, width)?;
        if channels != self.config.in_channels {
            return Err(Error::Shape {
                what: "latents",
                found: latents.dims().to_vec(),
                expected: format!("[batch, frames, {}, height, width]", self.config.in_channels),
            });
        }
        let patch = self.config.patch_size;
        let seen = crop(latents, [rows * patch, columns * patch]);
        let patches = patchify(seen.cast(self.dtype()), patch);
        let weight = self.proj.weight.val();
        let weight = weight.flatten::<2>(1, 3).swap_dims(0, 1);
        Ok(apply_linear(patches, weight, self.proj.bias.as_ref().map(|bias| bias.val())))
    }

    /// Identity and video tokens with their positions in a clip of `latents` = `[frames, height,
    /// width]`.
    ///
    /// Learned positions hold for one number of frames only. For every other one the original
    /// computes the whole table anew, which has nothing for the identity tokens: whether those get
    /// their learned rows depends on the clip.
    ///
    /// # Shapes
    /// `identity` `[batch, tokens, width]`, `video` `[batch, frames * rows * columns, width]`
    ///
    /// # Errors
    /// [`Error::PictureSize`] for a height or width that the learned positions do not have,
    /// [`Error::Shape`] for another number of identity tokens than they have.
    pub fn place(&self, identity: Tensor<3>, video: Tensor<3>, latents: [usize; 3]) -> Result<(Tensor<3>, Tensor<3>)> {
        let [frames, height, width] = latents;
        let config = &self.config;
        if let Some(learned) = &self.pos_embedding {
            let expected = [config.sample_height, config.sample_width];
            if [height, width] != expected {
                return Err(Error::PictureSize { found: [height, width], expected });
            }
            let [_, count, size] = identity.dims();
            if count != IDENTITY_TOKENS {
                return Err(Error::Shape {
                    what: "embedded identity tokens",
                    found: identity.dims().to_vec(),
                    expected: format!("[batch, {IDENTITY_TOKENS}, {size}]"),
                });
            }
            // Pixel frames, as the original compares: a table for 48 or 50 of them is never used.
            if config.pixel_frames(frames) == config.sample_frames {
                let rows = |from: usize, count: usize| learned.val().narrow(1, from, count);
                let [_, video_tokens, _] = video.dims();
                return Ok((identity + rows(0, count), video + rows(count, video_tokens)));
            }
        } else if config.use_rotary_positional_embeddings {
            return Ok((identity, video));
        }
        let grid = config.grid(frames, height, width)?;
        let codes = sincos_positions(config.width(), grid, config.position_scales(), &video.device())?;
        Ok((identity, video + codes.cast(self.dtype()).unsqueeze()))
    }
}

/// The upper left part of every frame.
fn crop(latents: Tensor<5>, size: [usize; 2]) -> Tensor<5> {
    let [_, _, _, height, width] = latents.dims();
    if [height, width] == size { latents } else { latents.narrow(3, 0, size[0]).narrow(4, 0, size[1]) }
}

/// What the original creates the learned positions with: nothing for the identity tokens,
/// sine-cosine codes for the video.
fn initial_positions(config: &TransformerConfig, device: &Device) -> Param<Tensor<3>> {
    let (width, grid, scales) = (config.width(), config.sample_grid(), config.position_scales());
    let shape = [1, IDENTITY_TOKENS + grid.iter().product::<usize>(), width];
    let create = move |device: &Device, _: bool| {
        let identity = Tensor::<2>::zeros([IDENTITY_TOKENS, width], (device, DType::F32));
        let video = sincos_positions(width, grid, scales, device).expect("the configuration was validated");
        Tensor::cat(vec![identity, video], 0).unsqueeze()
    };
    Param::uninitialized(ParamId::new(), create, device.clone(), false, shape.into())
}
