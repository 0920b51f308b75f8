//! A block forward and backward, written out.
//!
//! Automatic differentiation would take a norm to pieces, keep every one of them and the scores of the attention, and go through memory
//! for each. Here a block keeps its projections and results; norms, activations and scores are computed again. What makes a [`Modulation`]
//! of the timestep is a few vectors, and is left to automatic differentiation.

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::{Tensor, module};
use skyreels_core::nn::LayerNorm;

use super::block::{Block, QUERY_KEY_EPSILON, SelfAttention};
use super::modulation::Modulation;
use super::rotary::Rotary;
use super::streams::Streams;
use super::tokens::JoinedTokens;
use crate::attention::{AttentionGradients, attention, attention_gradients};

/// Heads are rows of one kind.
const HEADS: Streams = Streams { identity_tokens: 0 };

/// What the backward pass of a block needs of its forward pass.
#[derive(Debug)]
pub struct BlockPass {
    streams: Streams,
    /// Of the attention's branch and of the feed-forward layer's.
    modulations: [Modulation; 2],
    tokens: Tensor<3>,
    /// Queries, keys and values, not normalised.
    projections: [Tensor<3>; 3],
    /// Queries, keys and values as the attention sees them.
    seen: [Tensor<4>; 3],
    attended: Tensor<3>,
    joined: Tensor<3>,
    /// The tokens between attention and feed-forward layer.
    between: Tensor<3>,
    expanded: Tensor<3>,
    fed: Tensor<3>,
}

/// Gradients of `sum(tokens behind the block * cotangent)`.
#[derive(Debug)]
pub struct BlockGradients {
    /// With respect to the tokens in front of the block, joined.
    pub tokens: Tensor<3>,
    /// With respect to what the timestep does.
    pub modulations: [Modulation; 2],
    /// With respect to parameters that ask for a gradient, flat in the stored layout; without those that make modulations.
    pub parameters: Vec<(ParamId, Tensor<1>)>,
}

impl Block {
    /// What the timestep does in the attention's branch and in the feed-forward layer's.
    ///
    /// # Shapes
    /// `time` `[batch, time_embed_dim]`
    pub fn modulations(&self, time: &Tensor<2>) -> [Modulation; 2] {
        [&self.norm1, &self.norm2].map(|norm| norm.modulation(time.clone()))
    }
}

impl BlockPass {
    /// The tokens behind the block, joined as they are in front of it, and what its backward pass needs. All tensors are without
    /// gradients; the block may be on a device with automatic differentiation.
    ///
    /// # Shapes
    /// `tokens.all` in and out; `rotary` is that of [`Transformer::joint_rotary`](super::Transformer::joint_rotary).
    pub fn of(
        block: &Block,
        tokens: &JoinedTokens,
        modulations: [Modulation; 2],
        rotary: Option<&Rotary>,
    ) -> (Tensor<3>, Self) {
        let streams = Streams { identity_tokens: tokens.identity_tokens };
        let tokens = tokens.all.clone();
        let [first, second] = modulations.clone();

        let layer = &block.attn1;
        let normed = streams.norm(tokens.clone(), first.gain, first.offset, block.norm1.epsilon());
        let projections = [&layer.to_q, &layer.to_k, &layer.to_v].map(|linear| through(linear, normed.clone()));
        let [query, key, value] = projections.clone();
        let seen = [
            turned(layer.normed_heads(&layer.norm_q, query), rotary),
            turned(layer.normed_heads(&layer.norm_k, key), rotary),
            layer.heads_of(value),
        ];
        let [query, key, value] = seen.clone();
        let attended = attention(query, key, value).reshape(tokens.dims());
        let joined = through(&layer.to_out, attended.clone());
        let between = streams.gate(tokens.clone(), joined.clone(), first.gate);

        let normed = streams.norm(between.clone(), second.gain, second.offset, block.norm2.epsilon());
        let expanded = through(&block.ff.expand, normed);
        let fed = through(&block.ff.project, block.ff.activated(expanded.clone()));
        let after = streams.gate(between.clone(), fed.clone(), second.gate);
        (after, Self { streams, modulations, tokens, projections, seen, attended, joined, between, expanded, fed })
    }

    /// The way back. `back` undoes the rotation.
    ///
    /// # Shapes
    /// `cotangent` as the tokens.
    pub fn backward(self, block: &Block, cotangent: Tensor<3>, back: Option<&Rotary>) -> BlockGradients {
        let Self { streams, modulations, tokens, projections, seen, attended, joined, between, expanded, fed } = self;
        let [first, second] = modulations;
        let mut parameters = Parameters::default();

        let [to_fed, to_gate] = streams.gate_gradients(fed, second.gate, cotangent.clone());
        let to_activated = parameters.back(&block.ff.project, block.ff.activated(expanded.clone()), to_fed);
        let to_expanded = block.ff.activated_gradient(expanded, to_activated);
        let epsilon = block.norm2.epsilon();
        let normed = streams.norm(between.clone(), second.gain.clone(), second.offset, epsilon);
        let to_normed = parameters.back(&block.ff.expand, normed, to_expanded);
        let [to_between, to_gain, to_offset] = streams.norm_gradients(between, second.gain, to_normed, epsilon);
        let to_second = Modulation { gain: to_gain, offset: to_offset, gate: to_gate };
        let cotangent = cotangent + to_between;

        let layer = &block.attn1;
        let [to_joined, to_gate] = streams.gate_gradients(joined, first.gate, cotangent.clone());
        let to_attended = layer.heads_of(parameters.back(&layer.to_out, attended, to_joined));
        let [query, key, value] = seen;
        let AttentionGradients { query, key, value } = attention_gradients(query, key, value, to_attended);
        let [own_query, own_key, _] = projections;
        let to_query = parameters.back_through_norm(&layer.norm_q, own_query, turned(query, back));
        let to_key = parameters.back_through_norm(&layer.norm_k, own_key, turned(key, back));
        let to_value = value.reshape(tokens.dims());
        let epsilon = block.norm1.epsilon();
        let normed = streams.norm(tokens.clone(), first.gain.clone(), first.offset, epsilon);
        let to_normed = parameters.back(&layer.to_q, normed.clone(), to_query)
            + parameters.back(&layer.to_k, normed.clone(), to_key)
            + parameters.back(&layer.to_v, normed, to_value);
        let [to_tokens, to_gain, to_offset] = streams.norm_gradients(tokens, first.gain, to_normed, epsilon);
        let to_first = Modulation { gain: to_gain, offset: to_offset, gate: to_gate };
        BlockGradients {
            tokens: cotangent + to_tokens,
            modulations: [to_first, to_second],
            parameters: parameters.found,
        }
    }
}

impl SelfAttention {
    /// # Shapes
    /// `[batch, tokens, width] -> [batch, tokens, heads, head_dim]`
    fn heads_of(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, count, width] = x.dims();
        x.reshape([batch, count, self.heads, width / self.heads])
    }

    fn normed_heads(&self, norm: &LayerNorm, x: Tensor<3>) -> Tensor<4> {
        let shape = self.heads_of(x.clone()).dims();
        let [gain, offset] = [&norm.weight, &norm.bias].map(|vector| as_rows(plain(vector)));
        HEADS.norm(by_head(x, shape[3]), gain, offset, QUERY_KEY_EPSILON).reshape(shape)
    }
}

/// Gradients of parameters as they are found.
#[derive(Default)]
struct Parameters {
    found: Vec<(ParamId, Tensor<1>)>,
}

impl Parameters {
    /// From the cotangent of a layer's result to that of its input `x`.
    fn back(&mut self, layer: &Linear, x: Tensor<3>, cotangent: Tensor<3>) -> Tensor<3> {
        let shape = x.dims();
        let (x, cotangent) = (as_matrix(x), as_matrix(cotangent));
        if layer.weight.is_require_grad() {
            // Stored as [outputs, inputs].
            self.insert(layer.weight.id, cotangent.clone().transpose().matmul(x));
        }
        if let Some(bias) = layer.bias.as_ref().filter(|bias| bias.is_require_grad()) {
            self.insert(bias.id, cotangent.clone().sum_dim(0));
        }
        cotangent.matmul(plain(&layer.weight).transpose()).reshape(shape)
    }

    /// From the cotangent of normalised heads to that of `x`, `[batch, tokens, width]`.
    fn back_through_norm(&mut self, norm: &LayerNorm, x: Tensor<3>, cotangent: Tensor<4>) -> Tensor<3> {
        let (shape, [.., head_dim]) = (x.dims(), cotangent.dims());
        let gain = as_rows(plain(&norm.weight));
        let cotangent = cotangent.reshape([1, shape.iter().product::<usize>() / head_dim, head_dim]);
        let [found, to_gain, to_offset] =
            HEADS.norm_gradients(by_head(x, head_dim), gain, cotangent, QUERY_KEY_EPSILON);
        for (vector, gradient) in [(&norm.weight, to_gain), (&norm.bias, to_offset)] {
            if vector.is_require_grad() {
                self.insert(vector.id, gradient.narrow(1, 1, 1));
            }
        }
        found.reshape(shape)
    }

    fn insert<const D: usize>(&mut self, id: ParamId, gradient: Tensor<D>) {
        let count = gradient.shape().num_elements();
        self.found.push((id, gradient.reshape([count])));
    }
}

/// `x W + b` without gradients.
fn through(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    let [batch, count, _] = x.dims();
    let bias = layer.bias.as_ref().map(plain);
    let result = module::linear(as_matrix(x), plain(&layer.weight), bias);
    let [_, width] = result.dims();
    result.reshape([batch, count, width])
}

fn as_matrix(x: Tensor<3>) -> Tensor<2> {
    let [batch, count, width] = x.dims();
    x.reshape([batch * count, width])
}

/// Every head a row.
fn by_head(x: Tensor<3>, head_dim: usize) -> Tensor<3> {
    let count = x.shape().num_elements() / head_dim;
    x.reshape([1, count, head_dim])
}

/// The vector of all rows.
fn as_rows(vector: Tensor<1>) -> Tensor<3> {
    let [width] = vector.dims();
    vector.reshape([1, 1, width]).expand([1, 2, width])
}

/// Queries or keys, rotated where the model has tables.
fn turned(x: Tensor<4>, tables: Option<&Rotary>) -> Tensor<4> {
    match tables {
        Some(tables) => tables.apply(x),
        None => x,
    }
}

/// A parameter's value without gradients.
fn plain<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<D> {
    let value = param.val();
    if value.is_autodiff() { value.inner() } else { value }
}
