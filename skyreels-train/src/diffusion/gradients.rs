//! The loss of a batch, and its gradients.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;
use skyreels_core::Progress;
use skyreels_core::diffusion::Schedule;
use skyreels_dit::{Rotary, TransformerConfig};
use skyreels_vae::Tiling;
use skyreels_vae::differentiate::Tape;

use super::batch::{Batch, Control};
use super::blocks::by_blocks;
use super::denoising::Denoising;
use crate::Result;
use crate::loss::{Objective, weighted_mse};
use crate::optimise::{Gradients, Pieces};

/// What is computed twice to save memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recompute {
    /// Nothing: automatic differentiation keeps every intermediate result of every block for its backward pass.
    Nothing,
    /// Scores of the attention, which are most of the memory, and norms: the fastest to make again
    /// ([`BlockPass`](skyreels_dit::transformer::BlockPass)).
    Scores,
    /// Blocks: kept are their inputs, and the results within one block at a time; scores of the attention never.
    #[default]
    Blocks,
}

/// How the loss of a batch is measured.
#[derive(Debug, Clone, Copy)]
pub struct Loss<'a> {
    /// On what errors are measured.
    pub objective: Objective<'a>,
    /// The loss is multiplied by this: the batch's share of an accumulated one.
    pub share: f64,
}

impl Loss<'_> {
    /// The loss of a prediction.
    pub(super) fn of(&self, prediction: Tensor<5>, batch: &Batch) -> Result<Tensor<1>> {
        let said = self.objective.prediction(prediction, batch.noisy.clone(), &batch.timesteps)?;
        let loss = weighted_mse(said, batch.target.clone(), batch.weights.clone());
        Ok(loss.mul_scalar(self.share))
    }
}

/// Loss and gradients of every parameter that asks for one; the model is on a device with automatic differentiation.
///
/// The model sees what it sees at inference: noisy, control and image latents on the channel axis, and the tokens of the face.
///
/// # Errors
/// Those of the networks, and of an objective that is not defined at a timestep.
pub fn loss_and_gradients(
    model: &Denoising,
    batch: &Batch,
    loss: &Loss,
    recompute: Recompute,
) -> Result<(f64, Gradients)> {
    match recompute {
        Recompute::Nothing => whole(model, &batch.tracked(), loss),
        Recompute::Scores => by_blocks(model, batch, loss, true),
        Recompute::Blocks => by_blocks(model, batch, loss, false),
    }
}

/// The loss of a batch without gradients.
///
/// # Errors
/// Those of [`loss_and_gradients`].
pub(crate) fn loss_only(model: &Denoising, batch: &Batch, loss: &Loss) -> Result<f64> {
    let model = model.valid();
    let prediction = predict(&model, batch, None)?;
    Ok(f64::from(loss.of(prediction, batch)?.into_scalar::<f32>()))
}

fn whole(model: &Denoising, batch: &Batch, loss: &Loss) -> Result<(f64, Gradients)> {
    let pieces = pieces(model, batch);
    let value = loss.of(predict(model, batch, pieces.as_ref())?, batch)?;
    let gradients = Pieces::gradients(pieces.as_deref(), &value, model);
    Ok((f64::from(value.into_scalar::<f32>()), gradients))
}

/// What differentiates a guider that is trained; `None` where the device does that well, or nothing is to be done.
pub(super) fn pieces(model: &Denoising, batch: &Batch) -> Option<Arc<Pieces>> {
    match &batch.control {
        Control::Latents(_) => None,
        // Guider and transformer are loaded in one precision.
        Control::Clips { clips, .. } => Pieces::for_device(&clips.device(), model.transformer.dtype()),
    }
}

fn predict(model: &Denoising, batch: &Batch, pieces: Option<&Arc<Pieces>>) -> Result<Tensor<5>> {
    let (latents, identity) = inputs(model, batch, pieces)?;
    let rotary = rotary(model.transformer.config(), &latents)?;
    let trace = &mut skyreels_dit::Trace::off();
    Ok(model.transformer.denoise(latents, identity, &batch.timesteps, &rotary, trace)?)
}

/// Tables for latents, where they are.
pub(super) fn rotary(config: &TransformerConfig, latents: &Tensor<5>) -> Result<Rotary> {
    let [_, frames, _, height, width] = latents.dims();
    Ok(config.rotary(frames, height, width, &latents.device())?)
}

/// What the denoiser is shown: latents on the channel axis, and embedded identity tokens.
///
/// A guider that is trained is differentiated on the tape.
pub(super) fn inputs(model: &Denoising, batch: &Batch, pieces: Option<&Arc<Pieces>>) -> Result<(Tensor<5>, Tensor<3>)> {
    let control = match &batch.control {
        Control::Latents(latents) => latents.clone(),
        Control::Clips { clips, keep } => {
            let guider = &model.pose_guider;
            let latents = match pieces {
                Some(pieces) => guider.control_latents_on_tape(clips.clone(), &(pieces.clone() as Arc<dyn Tape>))?,
                None => guider.control_latents(clips.clone(), Tiling::Off, Progress::none())?,
            };
            latents.swap_dims(1, 2) * keep.clone()
        }
    };
    let latents = Tensor::cat(vec![batch.noisy.clone(), control, batch.image.clone()], 2);
    Ok((latents, model.transformer.embed_identity(batch.identity.clone())?))
}

impl Batch {
    /// The same batch on the device with automatic differentiation.
    pub(super) fn tracked(&self) -> Self {
        let lift = |tensor: &Tensor<5>| Tensor::from_inner(tensor.clone());
        Self {
            noisy: lift(&self.noisy),
            image: lift(&self.image),
            control: match &self.control {
                Control::Latents(latents) => Control::Latents(lift(latents)),
                Control::Clips { clips, keep } => Control::Clips { clips: lift(clips), keep: lift(keep) },
            },
            identity: Tensor::from_inner(self.identity.clone()),
            timesteps: self.timesteps.clone(),
            target: lift(&self.target),
            weights: lift(&self.weights),
        }
    }
}

/// The velocity's own objective, for callers that have a schedule only.
impl<'a> From<&'a Schedule> for Loss<'a> {
    fn from(schedule: &'a Schedule) -> Self {
        Self { objective: Objective::new(schedule), share: 1.0 }
    }
}
