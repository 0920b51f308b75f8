//! The backward pass block by block: little is kept, most is computed again.
//!
//! A first pass without gradients keeps the inputs of the blocks. Then, from the last block to the first, a block is computed again
//! with gradients and differentiated, its inputs being leaves: at any time one block's graph exists. Within a block the
//! attention is cut out, because automatic differentiation would keep its scores: what is behind it is differentiated
//! down to its result, the attention by [`attention_gradients`], and what is in front of it from queries, keys and values.

use burn::module::Module;
use burn::tensor::Tensor;
use skyreels_dit::attention::attention;
use skyreels_dit::transformer::{Block, Tokens};
use skyreels_dit::{Rotary, Transformer};

use super::attention::attention_gradients;
use super::batch::Batch;
use super::denoising::Denoising;
use super::gradients::{Loss, differentiate, inputs, pieces, rotary};
use crate::Result;
use crate::optimise::Gradients;

/// Gradients of the loss with respect to tokens.
struct Cotangent {
    video: Tensor<3>,
    identity: Tensor<3>,
    time: Tensor<2>,
}

pub(super) fn by_blocks(model: &Denoising, batch: &Batch, loss: &Loss) -> Result<(f64, Gradients)> {
    let plain = model.valid();
    let (latents, identity) = inputs(&plain, batch, None)?;
    let [_, frames, _, height, width] = latents.dims();
    let grid = model.transformer.config().grid(frames, height, width)?;
    let tables = rotary(model.transformer.config(), &latents)?;
    let mut tokens = plain.transformer.tokens(latents, identity, &batch.timesteps)?;
    let [_, identity_tokens, _] = tokens.identity.dims();
    let joint = plain.transformer.joint_rotary(&tables, identity_tokens);
    let mut kept = Vec::with_capacity(plain.transformer.blocks().len());
    for block in plain.transformer.blocks() {
        kept.push(tokens.clone());
        tokens = block.forward(tokens, joint.as_ref());
    }

    let tracked = batch.tracked();
    let mut sum = Gradients::default();
    let (value, mut cotangent) = head(model, tokens, grid, &tracked, loss, &mut sum)?;
    let tracked_tables = rotary(model.transformer.config(), &tracked.noisy)?;
    let tracked_joint = model.transformer.joint_rotary(&tracked_tables, identity_tokens);
    for (number, tokens) in kept.into_iter().enumerate().rev() {
        let pair = Pair {
            plain: (&plain.transformer.blocks()[number], joint.as_ref()),
            tracked: (&model.transformer.blocks()[number], tracked_joint.as_ref()),
        };
        cotangent = pair.backward(&model.transformer, tokens, cotangent, &mut sum);
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
        sum.add(differentiate(&product, model, pieces.as_deref()));
    }
    Ok(())
}

/// A block without gradients and the same block with them, each with its tables.
struct Pair<'a> {
    plain: (&'a Block, Option<&'a Rotary>),
    tracked: (&'a Block, Option<&'a Rotary>),
}

impl Pair<'_> {
    fn backward(&self, model: &Transformer, tokens: Tokens, after: Cotangent, sum: &mut Gradients) -> Cotangent {
        let [query, key, value] = self.plain.0.projections(&tokens, self.plain.1);
        let attended = attention(query.clone(), key.clone(), value.clone());

        let last = leaves(tokens.clone());
        let attended = Tensor::from_inner(attended).require_grad();
        let out = self.tracked.0.after_attention(attended.clone(), last.clone());
        let product = against(out.video, after.video) + against(out.identity, after.identity);
        let gradients = product.backward();
        sum.add(Gradients::collect_prefixed("transformer", model, &gradients));
        let behind = Cotangent {
            video: of(&last.video, &gradients),
            identity: of(&last.identity, &gradients),
            time: of(&last.time, &gradients),
        };
        let attention = attention_gradients(query, key, value, of(&attended, &gradients));
        drop(gradients);

        let first = leaves(tokens);
        let [query, key, value] = self.tracked.0.projections(&first, self.tracked.1);
        let product = against(query, attention.query) + against(key, attention.key) + against(value, attention.value);
        let gradients = product.backward();
        sum.add(Gradients::collect_prefixed("transformer", model, &gradients));
        Cotangent {
            video: behind.video + of(&first.video, &gradients),
            identity: behind.identity + of(&first.identity, &gradients),
            time: after.time + behind.time + of(&first.time, &gradients),
        }
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
