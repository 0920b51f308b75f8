//! The pooling head: one vector for a picture. SkyReels does not use it.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::module::linear as apply_linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::{LayerNorm, linear};

use super::config::SiglipConfig;
use super::layer::Mlp;
use crate::attention::attention;

/// `torch.nn.MultiheadAttention`, whose three projections are one parameter.
#[derive(Module, Debug)]
struct ProbeAttention {
    in_proj_weight: Param<Tensor<2>>,
    in_proj_bias: Param<Tensor<1>>,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl ProbeAttention {
    fn forward(&self, probe: Tensor<3>, tokens: Tensor<3>) -> Tensor<3> {
        let [_, _, width] = tokens.dims();
        let project = |x: Tensor<3>, part: usize| {
            let [batch, count, _] = x.dims();
            let weight = self.in_proj_weight.val().narrow(0, part * width, width).swap_dims(0, 1);
            let bias = self.in_proj_bias.val().narrow(0, part * width, width);
            apply_linear(x, weight, Some(bias)).reshape([batch, count, self.heads, width / self.heads])
        };
        let attended = attention(project(probe, 0), project(tokens.clone(), 1), project(tokens, 2));
        let [batch, count, _, _] = attended.dims();
        self.out_proj.forward(attended.reshape([batch, count, width]))
    }
}

/// Attention of a learned probe on all tokens, then a feed-forward layer
/// (`SiglipMultiheadAttentionPoolingHead`).
#[derive(Module, Debug)]
pub(super) struct PoolingHead {
    probe: Param<Tensor<3>>,
    attention: ProbeAttention,
    layernorm: LayerNorm,
    mlp: Mlp,
}

impl PoolingHead {
    pub(super) fn new(config: &SiglipConfig, device: &Device) -> Self {
        let width = config.hidden_size;
        let uniform = Initializer::KaimingUniform { gain: 1.0, fan_out_only: false };
        Self {
            probe: Initializer::Normal { mean: 0.0, std: 1.0 }.init([1, 1, width], device),
            attention: ProbeAttention {
                in_proj_weight: uniform.init_with([3 * width, width], Some(width), None, device),
                in_proj_bias: Initializer::Zeros.init([3 * width], device),
                out_proj: linear(width, width, device),
                heads: config.num_attention_heads,
            },
            layernorm: LayerNorm::new(width, config.layer_norm_eps, device),
            mlp: Mlp::new(config, device),
        }
    }

    /// # Shapes
    /// `[batch, tokens, width] -> [batch, width]`
    pub(super) fn forward(&self, tokens: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = tokens.dims();
        let probe = self.probe.val().expand([batch, 1, width]);
        let pooled = self.attention.forward(probe, tokens);
        let pooled = pooled.clone() + self.mlp.forward(self.layernorm.forward(pooled));
        pooled.squeeze_dim(1)
    }
}
