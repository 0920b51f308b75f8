//! The denoiser.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::{LayerNorm, linear, project};

use super::block::Block;
use super::config::TransformerConfig;
use super::embed::PatchEmbed;
use super::modulation::OutputNorm;
use super::norm::{norm, normalise};
use super::patch::unpatchify;
use super::rotary::Rotary;
use super::time::{TimeEmbedding, timestep_code};
use super::tokens::Tokens;
use crate::trace::Trace;
use crate::{Error, Result};

/// The SkyReels-A1 transformer (`CogVideoXTransformer3DModel` with three inputs and image tokens).
///
/// Predicts the velocity `v` of noisy latents, given control latents, image latents and the
/// identity tokens of the portrait's face.
#[derive(Module, Debug)]
pub struct Transformer {
    patch_embed: PatchEmbed,
    time_embedding: TimeEmbedding,
    transformer_blocks: Vec<Block>,
    norm_final: Option<LayerNorm>,
    norm_out: OutputNorm,
    proj_out: Linear,
    #[module(skip)]
    config: TransformerConfig,
    /// The blocks wait on another device, their matrices as a file has them.
    #[module(skip)]
    offloaded: bool,
}

impl Published for Transformer {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("pose_proj.expand", "pose_proj.0"),
        ("pose_proj.project", "pose_proj.2"),
        ("attn1.to_out", "attn1.to_out.0"),
        ("ff.expand", "ff.net.0.proj"),
        ("ff.project", "ff.net.2"),
    ];
}

impl TransformerConfig {
    /// A transformer of these sizes. Its parameters take no memory until they are loaded or used;
    /// used without loading, they are random.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<Transformer> {
        self.validate()?;
        let width = self.width();
        Ok(Transformer {
            patch_embed: PatchEmbed::new(self, device),
            time_embedding: TimeEmbedding::new(self, device),
            transformer_blocks: (0..self.num_layers).map(|_| Block::new(self, device)).collect(),
            norm_final: norm(self, device),
            norm_out: OutputNorm::new(self, device),
            proj_out: linear(width, self.out_channels * self.patch_size * self.patch_size, device),
            config: self.clone(),
            offloaded: false,
        })
    }

    /// Rotary tables for latents of this size; for a model without rotary positions, tables that turn
    /// nothing, which it does not look at.
    ///
    /// # Errors
    /// [`Error::Shape`] when a side is shorter than a patch.
    pub fn rotary(&self, frames: usize, height: usize, width: usize, device: &Device) -> Result<Rotary> {
        let grid = self.grid(frames, height, width)?;
        if !self.use_rotary_positional_embeddings {
            return Ok(Rotary::still(self.attention_head_dim, 1, device));
        }
        Rotary::new(self.attention_head_dim, grid, self.base_grid(), device)
    }
}

impl Transformer {
    /// The sizes of this model.
    pub fn config(&self) -> &TransformerConfig {
        &self.config
    }

    /// Type of the weights, in which the network computes between its norms.
    pub fn dtype(&self) -> DType {
        self.patch_embed.dtype()
    }

    /// Refuses weights whose face projector carries nothing.
    ///
    /// The original creates `pose_proj` with every value zero, a point from which its first layer
    /// never moves; a checkpoint in that state ignores the portrait's face.
    ///
    /// # Errors
    /// [`Error::DeadFaceBranch`].
    pub fn check_face_branch(&self) -> Result<()> {
        if self.face_branch_is_dead() { Err(Error::DeadFaceBranch) } else { Ok(()) }
    }

    /// True when every value of `patch_embed.pose_proj.0.weight` is zero.
    pub fn face_branch_is_dead(&self) -> bool {
        self.patch_embed.face_branch_is_dead()
    }

    /// Identity tokens of the transformer's width. They do not depend on the step: compute them once
    /// and call [`denoise`](Self::denoise) with them, which adds their positions.
    ///
    /// Guidance goes from all-zero identity tokens to those of the face, everything else being the
    /// same.
    ///
    /// # Shapes
    /// `[batch, tokens, identity_width] -> [batch, tokens, width]`
    ///
    /// # Errors
    /// [`Error::Shape`] for another width, or, with learned positions, another number of tokens.
    pub fn embed_identity(&self, identity: Tensor<3>) -> Result<Tensor<3>> {
        self.patch_embed.identity(identity)
    }

    /// The velocity at `timesteps`: [`embed_identity`](Self::embed_identity), then
    /// [`denoise`](Self::denoise).
    ///
    /// # Shapes
    /// - `latents` `[batch, frames, in_channels, height, width]`: noisy, control and image latents,
    ///   in this order on the channel axis
    /// - `identity` `[batch, tokens, identity_width]`
    /// - `timesteps` one per batch entry
    /// - `rotary` from [`TransformerConfig::rotary`] with the size of the latents; a model without
    ///   rotary positions leaves it aside
    /// - `-> [batch, frames, out_channels, height, width]` in the type of `latents`; rows and columns
    ///   that do not fill a patch are missing from it, as in the original
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::PictureSize`] when the inputs do not fit the model or each
    /// other.
    pub fn forward(
        &self,
        latents: Tensor<5>,
        identity: Tensor<3>,
        timesteps: &[usize],
        rotary: &Rotary,
    ) -> Result<Tensor<5>> {
        self.denoise(latents, self.embed_identity(identity)?, timesteps, rotary, &mut Trace::off())
    }

    /// The velocity, from identity tokens that are embedded already; `trace` collects the
    /// intermediate results.
    ///
    /// # Shapes
    /// Those of [`forward`](Self::forward), with `identity` `[batch, tokens, width]`.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward).
    pub fn denoise(
        &self,
        latents: Tensor<5>,
        identity: Tensor<3>,
        timesteps: &[usize],
        rotary: &Rotary,
        trace: &mut Trace,
    ) -> Result<Tensor<5>> {
        let [batch, frames, _, height, width] = latents.dims();
        let grid = self.config.grid(frames, height, width)?;
        self.check_inputs(batch, grid, &identity, timesteps, rotary)?;
        let dtype = latents.dtype();
        let mut tokens = self.traced_tokens(latents, identity, timesteps, trace)?;
        let [_, identity_tokens, _] = tokens.identity.dims();
        let joint = self.joint_rotary(rotary, identity_tokens);
        let device = tokens.video.device();
        for (number, block) in self.blocks_on(&device).enumerate() {
            trace.set_prefix(|| format!("block{number}_"));
            tokens = block.traced(tokens, joint.as_ref(), trace);
        }
        trace.set_prefix(String::new);
        Ok(self.traced_velocity(tokens, grid, trace).cast(dtype))
    }

    /// First part of [`denoise`](Self::denoise): the tokens in front of the first block.
    ///
    /// # Shapes
    /// Those of [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// Those of [`denoise`](Self::denoise).
    pub fn tokens(&self, latents: Tensor<5>, identity: Tensor<3>, timesteps: &[usize]) -> Result<Tokens> {
        let [batch, frames, _, height, width] = latents.dims();
        self.config.grid(frames, height, width)?;
        self.check_batch(batch, &identity, timesteps)?;
        self.traced_tokens(latents, identity, timesteps, &mut Trace::off())
    }

    /// Whether the blocks wait on another device ([`TransformerConfig::init_offloaded`]).
    pub fn is_offloaded(&self) -> bool {
        self.offloaded
    }

    pub(super) fn with_offloaded(self, blocks: Vec<Block>) -> Self {
        Self { transformer_blocks: blocks, offloaded: true, ..self }
    }

    /// The blocks, first to last; each takes the tokens of the one before it. Where
    /// [`is_offloaded`](Self::is_offloaded), they can be counted, but do not compute: their matrices lie elsewhere, as stored.
    pub fn blocks(&self) -> &[Block] {
        &self.transformer_blocks
    }

    /// The tables that the blocks rotate their joined tokens by; `None` in a model without rotary positions.
    pub fn joint_rotary(&self, rotary: &Rotary, identity_tokens: usize) -> Option<Rotary> {
        self.config.use_rotary_positional_embeddings.then(|| rotary.after_identity_tokens(identity_tokens))
    }

    /// Last part of [`denoise`](Self::denoise): the velocity from the tokens behind the last block.
    ///
    /// # Shapes
    /// `grid` frames, rows and columns of patches ([`TransformerConfig::grid`]);
    /// `-> [batch, frames, out_channels, height, width]` in the type of the weights
    pub fn velocity(&self, tokens: Tokens, grid: [usize; 3]) -> Tensor<5> {
        self.traced_velocity(tokens, grid, &mut Trace::off())
    }

    fn traced_tokens(
        &self,
        latents: Tensor<5>,
        identity: Tensor<3>,
        timesteps: &[usize],
        trace: &mut Trace,
    ) -> Result<Tokens> {
        let [_, frames, _, height, width] = latents.dims();
        let TransformerConfig { flip_sin_to_cos, freq_shift, .. } = self.config;
        let code = timestep_code(timesteps, self.config.width(), flip_sin_to_cos, freq_shift, &latents.device());
        trace.record("time_proj", &code);
        let time = self.time_embedding.forward(code.cast(self.patch_embed.dtype()));
        trace.record("time_embedding", &time);
        let video = self.patch_embed.video(latents)?;
        let (identity, video) = self.patch_embed.place(identity, video, [frames, height, width])?;
        if trace.is_on() {
            trace.record("patch_embed", &Tensor::cat(vec![identity.clone(), video.clone()], 1));
        }
        Ok(Tokens { video, identity, time })
    }

    fn traced_velocity(&self, tokens: Tokens, grid: [usize; 3], trace: &mut Trace) -> Tensor<5> {
        let Tokens { video, identity, time } = tokens;
        // Token by token: the identity tokens, which the original normalises where there are rotary
        // positions and drops afterwards, change nothing.
        let final_norm = |tokens| normalise(&self.norm_final, self.config.norm_eps, tokens);
        let video = final_norm(video);
        if trace.is_on() {
            let turns = self.config.use_rotary_positional_embeddings;
            let identity = turns.then(|| final_norm(identity));
            trace.record("norm_final", &Tensor::cat(identity.into_iter().chain([video.clone()]).collect(), 1));
        }
        let video = self.norm_out.forward(video, time);
        trace.record("norm_out", &video);
        let patches = project(&self.proj_out, video);
        trace.record("proj_out", &patches);
        unpatchify(patches, grid, self.config.patch_size)
    }

    pub(super) fn check_inputs(
        &self,
        batch: usize,
        grid: [usize; 3],
        identity: &Tensor<3>,
        timesteps: &[usize],
        rotary: &Rotary,
    ) -> Result<()> {
        self.check_batch(batch, identity, timesteps)?;
        let expected = [grid.iter().product(), self.config.attention_head_dim];
        check(
            !self.config.use_rotary_positional_embeddings || rotary.cos().dims() == expected,
            "rotary tables",
            rotary.cos().dims().to_vec(),
            format!("{expected:?} for latents of this size"),
        )
    }

    fn check_batch(&self, batch: usize, identity: &Tensor<3>, timesteps: &[usize]) -> Result<()> {
        let [identity_batch, tokens, width] = identity.dims();
        check(
            batch > 0 && identity_batch == batch && tokens > 0 && width == self.config.width(),
            "embedded identity tokens",
            identity.dims().to_vec(),
            format!("[{batch}, tokens, {}] as the latents' batch and the model's width say", self.config.width()),
        )?;
        check(timesteps.len() == batch, "timesteps", vec![timesteps.len()], format!("[{batch}], one per batch entry"))
    }
}

fn check(fits: bool, what: &'static str, found: Vec<usize>, expected: String) -> Result<()> {
    if fits { Ok(()) } else { Err(Error::Shape { what, found, expected }) }
}
