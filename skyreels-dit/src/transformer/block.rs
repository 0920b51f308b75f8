//! One block: attention over all tokens, then a feed-forward layer, both gated by the timestep.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::{LayerNorm, linear, linear_with};

use super::config::TransformerConfig;
use super::int8::project;
use super::modulation::{Modulated, ModulatedNorm};
use super::rotary::Rotary;
use super::tokens::{Tokens, split};
use crate::activation::{Activation, feed_forward_activation};
use crate::attention::attention;
use crate::trace::Trace;

/// Epsilon of the query and key norms, fixed in the original whatever `norm_eps` is.
pub(super) const QUERY_KEY_EPSILON: f64 = 1e-6;

/// Attention of all tokens on all tokens, with normalised and rotated queries and keys.
#[derive(Module, Debug)]
pub struct SelfAttention {
    pub(super) to_q: Linear,
    pub(super) to_k: Linear,
    pub(super) to_v: Linear,
    pub(super) norm_q: LayerNorm,
    pub(super) norm_k: LayerNorm,
    pub(super) to_out: Linear,
    #[module(skip)]
    pub(super) heads: usize,
}

impl SelfAttention {
    fn new(config: &TransformerConfig, device: &Device) -> Self {
        let width = config.width();
        let layer = || linear_with(width, width, config.attention_bias, device);
        Self {
            to_q: layer(),
            to_k: layer(),
            to_v: layer(),
            norm_q: LayerNorm::new(config.attention_head_dim, QUERY_KEY_EPSILON, device),
            norm_k: LayerNorm::new(config.attention_head_dim, QUERY_KEY_EPSILON, device),
            to_out: linear(width, width, device),
            heads: config.num_attention_heads,
        }
    }

    /// Queries, keys and values.
    ///
    /// # Shapes
    /// `[batch, tokens, width] -> 3 x [batch, tokens, heads, head_dim]`; `rotary` has a row per token, `None` rotates
    /// nothing.
    fn project(&self, tokens: Tensor<3>, rotary: Option<&Rotary>) -> [Tensor<4>; 3] {
        let [batch, count, width] = tokens.dims();
        let heads = |x: Tensor<3>| x.reshape([batch, count, self.heads, width / self.heads]);
        let rotate = |x: Tensor<4>| match rotary {
            Some(rotary) => rotary.apply(x),
            None => x,
        };
        let query = rotate(self.norm_q.forward(heads(project(&self.to_q, tokens.clone()))));
        let key = rotate(self.norm_k.forward(heads(project(&self.to_k, tokens.clone()))));
        [query, key, heads(project(&self.to_v, tokens))]
    }

    /// # Shapes
    /// `[batch, tokens, heads, head_dim] -> [batch, tokens, width]`
    fn join(&self, attended: Tensor<4>) -> Tensor<3> {
        let [batch, count, heads, head_dim] = attended.dims();
        project(&self.to_out, attended.reshape([batch, count, heads * head_dim]))
    }
}

/// `project(gelu(expand(x)))` in the published model, the GELU in its tanh approximation; in gated
/// variants the second half of `expand(x)` is activated and multiplies the first.
#[derive(Module, Debug)]
pub struct FeedForward {
    pub(super) expand: Linear,
    pub(super) project: Linear,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    gated: bool,
}

impl FeedForward {
    fn new(config: &TransformerConfig, device: &Device) -> Self {
        let (width, hidden) = (config.width(), config.feed_forward());
        let (activation, gated) =
            feed_forward_activation(&config.activation_fn).expect("the configuration was validated");
        let expanded = if gated { 2 * hidden } else { hidden };
        let (expand, project) = (linear(width, expanded, device), linear(hidden, width, device));
        Self { expand, project, activation, gated }
    }

    /// # Shapes
    /// `[batch, tokens, width]` in and out.
    pub(super) fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        project(&self.project, self.activated(project(&self.expand, tokens)))
    }

    /// From what `expand` says to what `project` reads.
    pub(super) fn activated(&self, expanded: Tensor<3>) -> Tensor<3> {
        if !self.gated {
            return self.activation.apply(expanded);
        }
        let [_, _, width] = expanded.dims();
        let (values, gates) = (expanded.clone().narrow(2, 0, width / 2), expanded.narrow(2, width / 2, width / 2));
        values * self.activation.apply(gates)
    }

    /// The gradient of `sum(activated(expanded) * cotangent)`; without gradients.
    pub(super) fn activated_gradient(&self, expanded: Tensor<3>, cotangent: Tensor<3>) -> Tensor<3> {
        if !self.gated {
            return cotangent * self.activation.slope(expanded);
        }
        let [_, _, width] = expanded.dims();
        let (values, gates) = (expanded.clone().narrow(2, 0, width / 2), expanded.narrow(2, width / 2, width / 2));
        let to_values = cotangent.clone() * self.activation.apply(gates.clone());
        Tensor::cat(vec![to_values, cotangent * values * self.activation.slope(gates)], 2)
    }
}

/// A block of the transformer (`CogVideoXBlock`).
#[derive(Module, Debug)]
pub struct Block {
    pub(super) norm1: ModulatedNorm,
    pub(super) attn1: SelfAttention,
    pub(super) norm2: ModulatedNorm,
    pub(super) ff: FeedForward,
}

impl Block {
    pub(super) fn new(config: &TransformerConfig, device: &Device) -> Self {
        Self {
            norm1: ModulatedNorm::new(config, device),
            attn1: SelfAttention::new(config, device),
            norm2: ModulatedNorm::new(config, device),
            ff: FeedForward::new(config, device),
        }
    }

    /// The tokens after the block; `trace` collects the intermediate results.
    ///
    /// # Shapes
    /// `rotary` has a row per identity token, then a row per video token; `None` rotates nothing.
    pub(super) fn traced(&self, tokens: Tokens, rotary: Option<&Rotary>, trace: &mut Trace) -> Tokens {
        let normed = self.normed(&tokens);
        trace.record("norm1_hidden", &normed.video);
        trace.record("norm1_encoder", &normed.identity);
        trace.record("norm1_gate", &normed.video_gate);
        trace.record("norm1_enc_gate", &normed.identity_gate);
        let gates = [normed.video_gate.clone(), normed.identity_gate.clone()];
        let [query, key, value] = self.attn1.project(normed.joined(), rotary);
        self.finish(attention(query, key, value), gates, tokens, trace)
    }

    /// The tokens after the block.
    ///
    /// # Shapes
    /// `rotary` is that of [`Transformer::joint_rotary`](super::Transformer::joint_rotary).
    pub fn forward(&self, tokens: Tokens, rotary: Option<&Rotary>) -> Tokens {
        self.traced(tokens, rotary, &mut Trace::off())
    }

    fn normed(&self, tokens: &Tokens) -> Modulated {
        self.norm1.forward(tokens.video.clone(), tokens.identity.clone(), tokens.time.clone())
    }

    fn finish(&self, attended: Tensor<4>, gates: [Tensor<3>; 2], tokens: Tokens, trace: &mut Trace) -> Tokens {
        let Tokens { video, identity, time } = tokens;
        let [_, identity_tokens, _] = identity.dims();
        let [video_gate, identity_gate] = gates;
        let (attended_identity, attended_video) = split(self.attn1.join(attended), identity_tokens);
        trace.record("attn_hidden", &attended_video);
        trace.record("attn_encoder", &attended_identity);
        let video = video + video_gate * attended_video;
        let identity = identity + identity_gate * attended_identity;

        let normed = self.norm2.forward(video.clone(), identity.clone(), time.clone());
        let (video_gate, identity_gate) = (normed.video_gate.clone(), normed.identity_gate.clone());
        let (fed_identity, fed_video) = split(self.ff.forward(normed.joined()), identity_tokens);
        let video = video + video_gate * fed_video;
        let identity = identity + identity_gate * fed_identity;
        trace.record("hidden", &video);
        trace.record("encoder", &identity);
        Tokens { video, identity, time }
    }
}
