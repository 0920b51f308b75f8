//! Norms whose scale and shift come from the timestep.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn::{LayerNorm, linear, silu};

use super::config::TransformerConfig;
use super::int8::project;
use super::norm::{norm, normalise};

/// Both streams in front of a branch of a block.
#[derive(Debug, Clone)]
pub(super) struct Modulated {
    /// Normalised and modulated video tokens, `[batch, video tokens, width]`.
    pub video: Tensor<3>,
    /// Normalised and modulated identity tokens, `[batch, identity tokens, width]`.
    pub identity: Tensor<3>,
    /// Gate of the branch for video tokens, `[batch, 1, width]`.
    pub video_gate: Tensor<3>,
    /// Gate of the branch for identity tokens, `[batch, 1, width]`.
    pub identity_gate: Tensor<3>,
}

impl Modulated {
    /// Identity tokens, then video tokens.
    pub(super) fn joined(self) -> Tensor<3> {
        Tensor::cat(vec![self.identity, self.video], 1)
    }
}

/// What a timestep does to normalised tokens, and what it multiplies the branch behind them by: one vector for the identity
/// tokens, then one for the video tokens, `[batch, 2, width]` each, f32.
#[derive(Debug, Clone)]
pub struct Modulation {
    /// Factor of the normalised tokens.
    pub gain: Tensor<3>,
    /// What is added to them.
    pub offset: Tensor<3>,
    /// Factor of the branch.
    pub gate: Tensor<3>,
}

/// `LN(x) (1 + scale) + shift` with scale, shift and a gate from the time embedding, one set for
/// the video and one for the identity tokens; the norm is shared (`CogVideoXLayerNormZero`).
#[derive(Module, Debug)]
pub struct ModulatedNorm {
    linear: Linear,
    norm: Option<LayerNorm>,
    #[module(skip)]
    epsilon: f64,
}

impl ModulatedNorm {
    pub(super) fn new(config: &TransformerConfig, device: &Device) -> Self {
        Self {
            linear: linear(config.time_embed_dim, 6 * config.width(), device),
            norm: norm(config, device),
            epsilon: config.norm_eps,
        }
    }

    /// # Shapes
    /// `video` and `identity` `[batch, tokens, width]`, `time` `[batch, time_embed_dim]`.
    pub(super) fn forward(&self, video: Tensor<3>, identity: Tensor<3>, time: Tensor<2>) -> Modulated {
        let [shift, scale, video_gate, identity_shift, identity_scale, identity_gate] = self.chunks(time);
        Modulated {
            video: modulate(normalise(&self.norm, self.epsilon, video), scale, shift),
            identity: modulate(normalise(&self.norm, self.epsilon, identity), identity_scale, identity_shift),
            video_gate,
            identity_gate,
        }
    }

    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Scale and shift of the norm and of the timestep as one.
    pub(super) fn modulation(&self, time: Tensor<2>) -> Modulation {
        let [shift, scale, gate, identity_shift, identity_scale, identity_gate] = self.chunks(time);
        let both = |identity: Tensor<3>, video: Tensor<3>| Tensor::cat(vec![identity, video], 1).cast(DType::F32);
        let (scale, shift, gate) =
            (both(identity_scale, scale) + 1.0, both(identity_shift, shift), both(identity_gate, gate));
        let Some(norm) = &self.norm else { return Modulation { gain: scale, offset: shift, gate } };
        let [_, _, width] = scale.dims();
        let [weight, bias] = [&norm.weight, &norm.bias].map(|vector| vector.val().reshape([1, 1, width]));
        Modulation { gain: scale.clone() * weight, offset: scale * bias + shift, gate }
    }

    fn chunks(&self, time: Tensor<2>) -> [Tensor<3>; 6] {
        let chunks = project(&self.linear, silu(time)).unsqueeze_dim::<3>(1).chunk(6, 2);
        chunks.try_into().expect("the layer is six times the width")
    }
}

/// The last norm, without a gate (`AdaLayerNorm` with shift before scale).
#[derive(Module, Debug)]
pub struct OutputNorm {
    linear: Linear,
    norm: Option<LayerNorm>,
    #[module(skip)]
    epsilon: f64,
}

impl OutputNorm {
    pub(super) fn new(config: &TransformerConfig, device: &Device) -> Self {
        Self {
            linear: linear(config.time_embed_dim, 2 * config.width(), device),
            norm: norm(config, device),
            epsilon: config.norm_eps,
        }
    }

    /// # Shapes
    /// `video` `[batch, tokens, width]`, `time` `[batch, time_embed_dim]`.
    pub(super) fn forward(&self, video: Tensor<3>, time: Tensor<2>) -> Tensor<3> {
        let chunks = self.linear.forward(silu(time)).unsqueeze_dim::<3>(1).chunk(2, 2);
        let [shift, scale] = chunks.try_into().expect("the layer is twice the width");
        modulate(normalise(&self.norm, self.epsilon, video), scale, shift)
    }
}

fn modulate(x: Tensor<3>, scale: Tensor<3>, shift: Tensor<3>) -> Tensor<3> {
    x * (scale + 1.0) + shift
}
