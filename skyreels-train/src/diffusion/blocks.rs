//! The backward pass block by block, without automatic differentiation of the blocks and without the scores of their attention.
//!
//! The forward passes of all blocks and the graph of the embedding in front of them are kept, or, with little memory, the inputs of the
//! blocks alone: then, from the last block to the first, a block's forward pass is made again, and at any time there is one.

use std::sync::Arc;

use burn::module::ParamId;
use burn::tensor::Tensor;
use skyreels_dit::Rotary;
use skyreels_dit::transformer::{Block, BlockPass, JoinedTokens, Modulation};

use super::batch::Batch;
use super::denoising::Denoising;
use super::gradients::{Loss, inputs, pieces, rotary};
use crate::Result;
use crate::optimise::{Gradients, Pieces};

/// Gradients of the loss with respect to tokens.
struct Cotangent {
    /// Joined, `[batch, identity tokens + video tokens, width]`.
    tokens: Tensor<3>,
    time: Tensor<2>,
}

/// What is kept of a block until its backward pass.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and a tensor is a handle")]
enum Kept {
    Input(JoinedTokens),
    Pass(Passed),
}

pub(super) fn by_blocks(model: &Denoising, batch: &Batch, loss: &Loss, keep_passes: bool) -> Result<(f64, Gradients)> {
    let transformer = &model.transformer;
    let [_, frames, _, height, width] = batch.noisy.dims();
    let grid = transformer.config().grid(frames, height, width)?;
    let tables = rotary(transformer.config(), &batch.noisy)?;
    let tracked = batch.tracked();
    let embedding = Embedding::of(model, &tracked)?;
    let mut tokens = embedding.tokens.values();
    let embedding = keep_passes.then_some(embedding);
    let tables = transformer.joint_rotary(&tables, tokens.identity_tokens);
    let mut kept = Vec::with_capacity(transformer.blocks().len());
    for block in transformer.blocks() {
        let (all, passed) = Passed::of(block, &tokens, tables.as_ref());
        let after = JoinedTokens { all, ..tokens.clone() };
        kept.push(if keep_passes { Kept::Pass(passed) } else { Kept::Input(tokens) });
        tokens = after;
    }

    let back = tables.as_ref().map(Rotary::inverse);
    let mut sum = Gradients::default();
    let (value, mut cotangent) = head(model, tokens, grid, &tracked, loss, &mut sum)?;
    let mut parameters = Vec::new();
    for (kept, block) in kept.into_iter().zip(transformer.blocks()).rev() {
        let passed = match kept {
            Kept::Pass(passed) => passed,
            Kept::Input(tokens) => Passed::of(block, &tokens, tables.as_ref()).1,
        };
        cotangent = passed.backward(model, block, cotangent, back.as_ref(), &mut sum, &mut parameters);
    }
    sum.add(Gradients::named(model, parameters));
    embedding.map_or_else(|| Embedding::of(model, &tracked), Ok)?.backward(model, cotangent, &mut sum);
    Ok((value, sum))
}

/// From the tokens behind the last block to the loss.
fn head(
    model: &Denoising,
    tokens: JoinedTokens,
    grid: [usize; 3],
    batch: &Batch,
    loss: &Loss,
    sum: &mut Gradients,
) -> Result<(f64, Cotangent)> {
    let time = Tensor::from_inner(tokens.time).require_grad();
    let leaves = JoinedTokens { all: Tensor::from_inner(tokens.all).require_grad(), time, ..tokens };
    let velocity = model.transformer.velocity(leaves.clone().split(), grid).cast(batch.noisy.dtype());
    let value = loss.of(velocity, batch)?;
    let gradients = value.backward();
    sum.add(Gradients::collect_prefixed("transformer", &model.transformer, &gradients));
    let cotangent = Cotangent { tokens: of(&leaves.all, &gradients), time: of(&leaves.time, &gradients) };
    Ok((f64::from(value.into_scalar::<f32>()), cotangent))
}

/// A block that was computed, and the graph of what the timestep does in it.
struct Passed {
    /// The time embedding, a leaf.
    time: Tensor<2>,
    modulations: [Modulation; 2],
    pass: BlockPass,
}

impl Passed {
    fn of(block: &Block, tokens: &JoinedTokens, tables: Option<&Rotary>) -> (Tensor<3>, Self) {
        let time = Tensor::from_inner(tokens.time.clone()).require_grad();
        let modulations = block.modulations(&time);
        let values = modulations.clone().map(|Modulation { gain, offset, gate }| {
            let [gain, offset, gate] = [gain, offset, gate].map(Tensor::inner);
            Modulation { gain, offset, gate }
        });
        let (after, pass) = BlockPass::of(block, tokens, values, tables);
        (after, Self { time, modulations, pass })
    }

    fn backward(
        self,
        model: &Denoising,
        block: &Block,
        cotangent: Cotangent,
        back: Option<&Rotary>,
        sum: &mut Gradients,
        parameters: &mut Vec<(ParamId, Tensor<1>)>,
    ) -> Cotangent {
        let found = self.pass.backward(block, cotangent.tokens, back);
        parameters.extend(found.parameters);
        let product = self.modulations.into_iter().zip(found.modulations).map(|(of_time, to)| {
            against(of_time.gain, to.gain) + against(of_time.offset, to.offset) + against(of_time.gate, to.gate)
        });
        let gradients = product.reduce(std::ops::Add::add).expect("there are two").backward();
        sum.add(Gradients::collect_prefixed("transformer", &model.transformer, &gradients));
        Cotangent { tokens: found.tokens, time: cotangent.time + of(&self.time, &gradients) }
    }
}

/// What is in front of the first block, the guider included where it is trained.
struct Embedding {
    pieces: Option<Arc<Pieces>>,
    tokens: JoinedTokens,
}

impl Embedding {
    fn of(model: &Denoising, batch: &Batch) -> Result<Self> {
        let pieces = pieces(model, batch);
        let (latents, identity) = inputs(model, batch, pieces.as_ref())?;
        let tokens = model.transformer.tokens(latents, identity, &batch.timesteps)?.joined();
        Ok(Self { pieces, tokens })
    }

    fn backward(self, model: &Denoising, cotangent: Cotangent, sum: &mut Gradients) {
        let product = against(self.tokens.all, cotangent.tokens) + against(self.tokens.time, cotangent.time);
        // Where blocks alone are trained, nothing in front of them is.
        if product.is_tracked() {
            sum.add(Pieces::gradients(self.pieces.as_deref(), &product, model));
        }
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
