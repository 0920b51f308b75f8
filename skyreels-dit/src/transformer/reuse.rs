//! What a step of the reverse process may take from the steps before it.

use burn::tensor::Tensor;

use super::model::Transformer;
use super::rotary::Rotary;
use crate::{Result, Trace};

/// Which of the two predictions that guidance combines is being computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuidancePass {
    /// With all-zero identity tokens.
    Unconditional,
    /// With those of the face.
    Conditional,
    /// Both in one batch, the unconditional one first.
    Both,
}

/// Less work for the same picture: stands between a sampler, which asks whether the unconditional pass has to run, and
/// the transformer, which asks whether the blocks behind its first have to.
///
/// Neighbouring steps compute nearly the same; an implementation decides where nearly is near enough. Every method has
/// a default, and the defaults reuse nothing. A value belongs to one run: it remembers tensors of that run's size.
pub trait StepReuse: std::fmt::Debug {
    /// Whether step `step` of the run computes the unconditional prediction.
    fn runs_unconditional(&self, step: usize) -> bool {
        let _ = step;
        true
    }

    /// Sees both predictions of a step that computed both.
    ///
    /// # Shapes
    /// `[1, latent_frames, channels, height, width]`
    fn keep_guidance(&mut self, unconditional: &Tensor<5>, conditional: &Tensor<5>) {
        let _ = (unconditional, conditional);
    }

    /// Stands in for the unconditional prediction of a step that does not compute it. The default is the conditional
    /// one, which leaves that step without guidance.
    ///
    /// # Shapes
    /// Those of [`keep_guidance`](Self::keep_guidance).
    fn unconditional(&mut self, step: usize, conditional: &Tensor<5>) -> Tensor<5> {
        let _ = step;
        conditional.clone()
    }

    /// Whether [`rest`](Self::rest) and [`keep_rest`](Self::keep_rest) want to be asked. What they look at costs
    /// memory: without them the tensors in front of a block need not outlive it.
    fn reuses_blocks(&self) -> bool {
        false
    }

    /// What the blocks behind the first would add to the video tokens, when that is known well enough from an earlier
    /// step; `first` is what the first block has just added.
    ///
    /// # Shapes
    /// `[batch, video tokens, width]`
    ///
    /// # Errors
    /// Those of comparing tensors on the device.
    fn rest(&mut self, pass: GuidancePass, first: &Tensor<3>) -> Result<Option<Tensor<3>>> {
        let _ = (pass, first);
        Ok(None)
    }

    /// Sees what the first block and the blocks behind it have added in a pass that computed all of them.
    ///
    /// # Shapes
    /// Those of [`rest`](Self::rest).
    fn keep_rest(&mut self, pass: GuidancePass, first: Tensor<3>, rest: Tensor<3>) {
        let _ = (pass, first, rest);
    }
}

/// Reuses nothing: every pass and every block of every step.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryStep;

impl StepReuse for EveryStep {}

/// A velocity and what it took.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// `[batch, frames, out_channels, height, width]`
    pub velocity: Tensor<5>,
    /// Blocks that were computed for each entry of the batch.
    pub blocks: usize,
}

impl Transformer {
    /// [`denoise`](Self::denoise), but `reuse` may take the place of all blocks behind the first; the same bytes where
    /// it does not.
    ///
    /// # Shapes
    /// Those of [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// Those of [`denoise`](Self::denoise) and of [`StepReuse::rest`].
    pub fn denoise_reusing(
        &self,
        latents: Tensor<5>,
        identity: Tensor<3>,
        timesteps: &[usize],
        rotary: &Rotary,
        pass: GuidancePass,
        reuse: &mut dyn StepReuse,
    ) -> Result<Prediction> {
        let all = self.blocks().len();
        let device = latents.device();
        let mut blocks = self.blocks_on(&device);
        let first = if reuse.reuses_blocks() { blocks.next() } else { None };
        let Some(first) = first else {
            let velocity = self.denoise(latents, identity, timesteps, rotary, &mut Trace::off())?;
            return Ok(Prediction { velocity, blocks: all });
        };
        let [batch, frames, _, height, width] = latents.dims();
        let grid = self.config().grid(frames, height, width)?;
        self.check_inputs(batch, grid, &identity, timesteps, rotary)?;
        let dtype = latents.dtype();
        let [_, identity_tokens, _] = identity.dims();
        let joint = self.joint_rotary(rotary, identity_tokens);
        let tokens = self.tokens(latents, identity, timesteps)?;
        let before = tokens.video.clone();
        let mut tokens = first.forward(tokens, joint.as_ref());
        let added = tokens.video.clone() - before;
        // An offloaded block makes room for the next.
        drop(first);
        let computed = match reuse.rest(pass, &added)? {
            Some(rest) => {
                // The identity tokens stay behind: what follows looks at the video alone.
                tokens.video = tokens.video + rest;
                1
            }
            None => {
                let start = tokens.video.clone();
                tokens = blocks.fold(tokens, |tokens, block| block.forward(tokens, joint.as_ref()));
                reuse.keep_rest(pass, added, tokens.video.clone() - start);
                all
            }
        };
        Ok(Prediction { velocity: self.velocity(tokens, grid).cast(dtype), blocks: computed })
    }
}
