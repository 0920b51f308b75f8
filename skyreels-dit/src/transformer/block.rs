//! One block: attention over all tokens, then a feed-forward layer, both gated by the timestep.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::{LayerNorm, linear};

use super::config::TransformerConfig;
use super::modulation::ModulatedNorm;
use super::rotary::Rotary;
use crate::activation::{Activation, feed_forward_activation};
use crate::attention::attention;
use crate::trace::Trace;

/// Epsilon of the query and key norms, fixed in the original whatever `norm_eps` is.
const QUERY_KEY_EPSILON: f64 = 1e-6;

/// Attention of all tokens on all tokens, with normalised and rotated queries and keys.
#[derive(Module, Debug)]
pub struct SelfAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    norm_q: LayerNorm,
    norm_k: LayerNorm,
    to_out: Linear,
    #[module(skip)]
    heads: usize,
}

impl SelfAttention {
    fn new(config: &TransformerConfig, device: &Device) -> Self {
        let width = config.width();
        let project = || {
            let layer = LinearConfig::new(width, width).with_bias(config.attention_bias);
            layer.with_layout(LinearLayout::Col).init(device)
        };
        Self {
            to_q: project(),
            to_k: project(),
            to_v: project(),
            norm_q: LayerNorm::new(config.attention_head_dim, QUERY_KEY_EPSILON, device),
            norm_k: LayerNorm::new(config.attention_head_dim, QUERY_KEY_EPSILON, device),
            to_out: linear(width, width, device),
            heads: config.num_attention_heads,
        }
    }

    /// # Shapes
    /// `[batch, tokens, width]` in and out; `rotary` has a row per token, `None` rotates nothing.
    pub(super) fn forward(&self, tokens: Tensor<3>, rotary: Option<&Rotary>) -> Tensor<3> {
        let [batch, count, width] = tokens.dims();
        let heads = |x: Tensor<3>| x.reshape([batch, count, self.heads, width / self.heads]);
        let rotate = |x: Tensor<4>| match rotary {
            Some(rotary) => rotary.apply(x),
            None => x,
        };
        let query = rotate(self.norm_q.forward(heads(self.to_q.forward(tokens.clone()))));
        let key = rotate(self.norm_k.forward(heads(self.to_k.forward(tokens.clone()))));
        let value = heads(self.to_v.forward(tokens));
        self.to_out.forward(attention(query, key, value).reshape([batch, count, width]))
    }
}

/// `project(gelu(expand(x)))` in the published model, the GELU in its tanh approximation; in gated
/// variants the second half of `expand(x)` is activated and multiplies the first.
#[derive(Module, Debug)]
pub struct FeedForward {
    expand: Linear,
    project: Linear,
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
        let expanded = self.expand.forward(tokens);
        if !self.gated {
            return self.project.forward(self.activation.apply(expanded));
        }
        let [_, _, width] = expanded.dims();
        let (values, gates) = (expanded.clone().narrow(2, 0, width / 2), expanded.narrow(2, width / 2, width / 2));
        self.project.forward(values * self.activation.apply(gates))
    }
}

/// A block of the transformer (`CogVideoXBlock`).
#[derive(Module, Debug)]
pub struct Block {
    norm1: ModulatedNorm,
    attn1: SelfAttention,
    norm2: ModulatedNorm,
    ff: FeedForward,
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

    /// Video and identity tokens after the block.
    ///
    /// # Shapes
    /// `video` and `identity` `[batch, tokens, width]`, `time` `[batch, time_embed_dim]`; `rotary`
    /// has a row per identity token, then a row per video token; `None` rotates nothing.
    pub(super) fn forward(
        &self,
        video: Tensor<3>,
        identity: Tensor<3>,
        time: Tensor<2>,
        rotary: Option<&Rotary>,
        trace: &mut Trace,
    ) -> (Tensor<3>, Tensor<3>) {
        let [_, identity_tokens, _] = identity.dims();

        let normed = self.norm1.forward(video.clone(), identity.clone(), time.clone());
        trace.record("norm1_hidden", &normed.video);
        trace.record("norm1_encoder", &normed.identity);
        trace.record("norm1_gate", &normed.video_gate);
        trace.record("norm1_enc_gate", &normed.identity_gate);
        let attended = self.attn1.forward(Tensor::cat(vec![normed.identity, normed.video], 1), rotary);
        let (attended_identity, attended_video) = split(attended, identity_tokens);
        trace.record("attn_hidden", &attended_video);
        trace.record("attn_encoder", &attended_identity);
        let video = video + normed.video_gate * attended_video;
        let identity = identity + normed.identity_gate * attended_identity;

        let normed = self.norm2.forward(video.clone(), identity.clone(), time);
        let fed = self.ff.forward(Tensor::cat(vec![normed.identity, normed.video], 1));
        let (fed_identity, fed_video) = split(fed, identity_tokens);
        let video = video + normed.video_gate * fed_video;
        let identity = identity + normed.identity_gate * fed_identity;
        trace.record("hidden", &video);
        trace.record("encoder", &identity);
        (video, identity)
    }
}

/// Identity tokens and video tokens of a joined sequence.
fn split(tokens: Tensor<3>, identity_tokens: usize) -> (Tensor<3>, Tensor<3>) {
    let [_, count, _] = tokens.dims();
    (tokens.clone().narrow(1, 0, identity_tokens), tokens.narrow(1, identity_tokens, count - identity_tokens))
}
