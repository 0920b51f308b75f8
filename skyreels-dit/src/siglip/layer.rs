//! One layer of the tower.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::{LayerNorm, linear, project};

use super::config::SiglipConfig;
use crate::activation::gelu_tanh;
use crate::attention::attention;

/// Attention of all patches on all patches.
#[derive(Module, Debug)]
struct SelfAttention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl SelfAttention {
    fn new(config: &SiglipConfig, device: &Device) -> Self {
        let square = || linear(config.hidden_size, config.hidden_size, device);
        Self {
            q_proj: square(),
            k_proj: square(),
            v_proj: square(),
            out_proj: square(),
            heads: config.num_attention_heads,
        }
    }

    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let [batch, count, width] = tokens.dims();
        let heads = |x: Tensor<3>| x.reshape([batch, count, self.heads, width / self.heads]);
        let attended = attention(
            heads(project(&self.q_proj, tokens.clone())),
            heads(project(&self.k_proj, tokens.clone())),
            heads(project(&self.v_proj, tokens)),
        );
        project(&self.out_proj, attended.reshape([batch, count, width]))
    }
}

/// `fc2(gelu(fc1(x)))`, the GELU in its tanh approximation.
#[derive(Module, Debug)]
pub(super) struct Mlp {
    fc1: Linear,
    fc2: Linear,
}

impl Mlp {
    pub(super) fn new(config: &SiglipConfig, device: &Device) -> Self {
        let (width, hidden) = (config.hidden_size, config.intermediate_size);
        Self { fc1: linear(width, hidden, device), fc2: linear(hidden, width, device) }
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        project(&self.fc2, gelu_tanh(project(&self.fc1, x)))
    }
}

/// A layer of the tower (`SiglipEncoderLayer`): attention and feed-forward, norms first.
#[derive(Module, Debug)]
pub(super) struct Layer {
    self_attn: SelfAttention,
    layer_norm1: LayerNorm,
    mlp: Mlp,
    layer_norm2: LayerNorm,
}

impl Layer {
    pub(super) fn new(config: &SiglipConfig, device: &Device) -> Self {
        let norm = || LayerNorm::new(config.hidden_size, config.layer_norm_eps, device);
        Self {
            self_attn: SelfAttention::new(config, device),
            layer_norm1: norm(),
            mlp: Mlp::new(config, device),
            layer_norm2: norm(),
        }
    }

    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = x.clone() + self.self_attn.forward(self.layer_norm1.forward(x));
        x.clone() + self.mlp.forward(self.layer_norm2.forward(x))
    }
}
