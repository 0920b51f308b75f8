//! The backward pass block by block, in which the scores of the attention are never kept.
//!
//! Automatic differentiation would keep them, so the attention is cut out of every block: what is behind it is differentiated
//! down to its result, the attention by [`attention_gradients`], the rotation of queries and keys by turning back, and what is in
//! front of it from queries, keys and values.
//! Graphs of all blocks are kept, or, with little memory, the inputs of the blocks alone: then, from the last block to
//! the first, a block's graph is made again, and at any time there is one.

use burn::module::Module;
use burn::tensor::Tensor;
use skyreels_dit::attention::{attention, attention_gradients};
use skyreels_dit::transformer::{Block, Tokens};
use skyreels_dit::{Rotary, Transformer};

use super::batch::Batch;
use super::denoising::Denoising;
use super::gradients::{Loss, inputs, pieces, rotary};
use crate::Result;
use crate::optimise::{Gradients, Pieces};

/// Gradients of the loss with respect to tokens.
struct Cotangent {
    video: Tensor<3>,
    identity: Tensor<3>,
    time: Tensor<2>,
}

/// What is kept of a block until its backward pass.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
enum Kept {
    Input(Tokens),
    Graph(Graph),
}

pub(super) fn by_blocks(model: &Denoising, batch: &Batch, loss: &Loss, keep_graphs: bool) -> Result<(f64, Gradients)> {
    let plain = model.valid();
    let (latents, identity) = inputs(&plain, batch, None)?;
    let [_, frames, _, height, width] = latents.dims();
    let grid = model.transformer.config().grid(frames, height, width)?;
    let tables = rotary(model.transformer.config(), &latents)?;
    let mut tokens = plain.transformer.tokens(latents, identity, &batch.timesteps)?;
    let [_, identity_tokens, _] = tokens.identity.dims();
    let joint = plain.transformer.joint_rotary(&tables, identity_tokens);
    let tracked = batch.tracked();
    let mut kept = Vec::with_capacity(plain.transformer.blocks().len());
    for (block, tracked_block) in plain.transformer.blocks().iter().zip(model.transformer.blocks()) {
        tokens = if keep_graphs {
            let graph = Graph::of(tracked_block, tokens, joint.as_ref());
            let after = graph.result();
            kept.push(Kept::Graph(graph));
            after
        } else {
            kept.push(Kept::Input(tokens.clone()));
            block.forward(tokens, joint.as_ref())
        };
    }

    let back = joint.as_ref().map(Rotary::inverse);
    let mut sum = Gradients::default();
    let (value, mut cotangent) = head(model, tokens, grid, &tracked, loss, &mut sum)?;
    for (kept, block) in kept.into_iter().zip(model.transformer.blocks()).rev() {
        let graph = match kept {
            Kept::Graph(graph) => graph,
            Kept::Input(tokens) => Graph::of(block, tokens, joint.as_ref()),
        };
        cotangent = graph.backward(&model.transformer, back.as_ref(), cotangent, &mut sum);
    }
    embedding(model, &tracked, cotangent, &mut sum)?;
    Ok((value, sum))
}

/// From the tokens behind the last block to the loss.
fn head(
    model: &Denoising,
    tokens: Tokens,
    grid: [usize; 3],
    batch: &Batch,
    loss: &Loss,
    sum: &mut Gradients,
) -> Result<(f64, Cotangent)> {
    // The output does not look at the identity tokens.
    let identity = tokens.identity.zeros_like();
    let tokens = leaves(tokens);
    let velocity = model.transformer.velocity(tokens.clone(), grid).cast(batch.noisy.dtype());
    let value = loss.of(velocity, batch)?;
    let gradients = value.backward();
    sum.add(Gradients::collect_prefixed("transformer", &model.transformer, &gradients));
    let cotangent = Cotangent { video: of(&tokens.video, &gradients), identity, time: of(&tokens.time, &gradients) };
    Ok((f64::from(value.into_scalar::<f32>()), cotangent))
}

/// From the inputs to the tokens in front of the first block, the guider included where it is trained.
fn embedding(model: &Denoising, batch: &Batch, cotangent: Cotangent, sum: &mut Gradients) -> Result<()> {
    let pieces = pieces(model, batch);
    let (latents, identity) = inputs(model, batch, pieces.as_ref())?;
    let tokens = model.transformer.tokens(latents, identity, &batch.timesteps)?;
    let product = against(tokens.video, cotangent.video)
        + against(tokens.identity, cotangent.identity)
        + against(tokens.time, cotangent.time);
    // Where blocks alone are trained, nothing in front of them is.
    if product.is_tracked() {
        sum.add(Pieces::gradients(pieces.as_deref(), &product, model));
    }
    Ok(())
}

/// A block that was computed, in two pieces: what is in front of its attention, and what is behind it.
struct Graph {
    first: Tokens,
    /// Queries, keys and values, not rotated.
    projections: [Tensor<4>; 3],
    /// Queries, keys and values as the attention sees them, without gradients.
    seen: [Tensor<4>; 3],
    attended: Tensor<4>,
    last: Tokens,
    out: Tokens,
}

impl Graph {
    fn of(block: &Block, tokens: Tokens, tables: Option<&Rotary>) -> Self {
        let (first, last) = (leaves(tokens.clone()), leaves(tokens));
        let projections = block.projections(&first, None);
        let [query, key, value] = projections.clone().map(Tensor::inner);
        let seen = [turned(query, tables), turned(key, tables), value];
        let [query, key, value] = seen.clone();
        let attended = Tensor::from_inner(attention(query, key, value)).require_grad();
        let out = block.after_attention(attended.clone(), last.clone());
        Self { first, projections, seen, attended, last, out }
    }

    /// The tokens behind the block, without gradients.
    fn result(&self) -> Tokens {
        let Tokens { video, identity, time } = self.out.clone();
        Tokens { video: video.inner(), identity: identity.inner(), time: time.inner() }
    }

    /// `back` undoes the rotation.
    fn backward(self, model: &Transformer, back: Option<&Rotary>, after: Cotangent, sum: &mut Gradients) -> Cotangent {
        let Self { first, projections, seen, attended, last, out } = self;
        let product = against(out.video, after.video) + against(out.identity, after.identity);
        let gradients = product.backward();
        sum.add(Gradients::collect_prefixed("transformer", model, &gradients));
        let behind = Cotangent {
            video: of(&last.video, &gradients),
            identity: of(&last.identity, &gradients),
            time: of(&last.time, &gradients),
        };
        let [query, key, value] = seen;
        let attention = attention_gradients(query, key, value, of(&attended, &gradients));
        drop(gradients);

        let [query, key, value] = projections;
        let product = against(query, turned(attention.query, back))
            + against(key, turned(attention.key, back))
            + against(value, attention.value);
        let gradients = product.backward();
        sum.add(Gradients::collect_prefixed("transformer", model, &gradients));
        Cotangent {
            video: behind.video + of(&first.video, &gradients),
            identity: behind.identity + of(&first.identity, &gradients),
            time: after.time + behind.time + of(&first.time, &gradients),
        }
    }
}

/// Queries or keys, rotated where the model has tables.
fn turned(x: Tensor<4>, tables: Option<&Rotary>) -> Tensor<4> {
    match tables {
        Some(tables) => tables.apply(x),
        None => x,
    }
}

/// The same tokens as leaves of a new graph.
fn leaves(tokens: Tokens) -> Tokens {
    Tokens {
        video: Tensor::from_inner(tokens.video).require_grad(),
        identity: Tensor::from_inner(tokens.identity).require_grad(),
        time: Tensor::from_inner(tokens.time).require_grad(),
    }
}

/// `sum(x * cotangent)`, whose gradient with respect to `x` is the cotangent.
fn against<const D: usize>(x: Tensor<D>, cotangent: Tensor<D>) -> Tensor<1> {
    (x * Tensor::from_inner(cotangent)).sum()
}

/// The gradient of a leaf; zero where nothing depends on it.
fn of<const D: usize>(leaf: &Tensor<D>, gradients: &burn::tensor::Gradients) -> Tensor<D> {
    leaf.grad(gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
}
