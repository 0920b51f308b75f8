//! Where a stage begins: parameters that are set anew before its first step.

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use skyreels_core::Precision;
use skyreels_core::checkpoint::{Key, Published, PublishedMapper, Weights, as_stored, fill};
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_dit::Transformer;

use crate::data::mix;
use crate::{Error, Result};

/// What is set anew before the first step of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Begin {
    /// The convolution that turns latents into tokens.
    pub patch_convolution: PatchConvolution,
    /// The face projector.
    pub projector: Projector,
    /// The VAE's latents, in a stage that trains it.
    pub latents: Latents,
}

/// What becomes of the VAE's latents. A denoiser has to be trained on the new ones.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Latents {
    /// They stay as they are.
    #[default]
    Keep,
    /// They lose their mean, and directions in which they vary little are stretched: those of variance `v` beside those of 1 end
    /// with `v^(1 - strength)`, strength 0..=1. The layers on both sides take that in, so that pictures stay, but for their rims.
    Whiten(f64),
}

/// How the patch convolution begins. Its input channels are noisy, control and image latents, a third each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchConvolution {
    /// As it was loaded.
    #[default]
    Keep,
    /// The control channels are zero: at first the model does what it did without them.
    ZeroControl,
}

/// How the face projector begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projector {
    /// As it was loaded.
    #[default]
    Keep,
    /// First layer random as PyTorch creates it, last layer zero: nothing at first, but free to learn.
    ///
    /// (With both layers zero, as the original creates it, all its gradients but that of the last bias are zero for ever.)
    ZeroLast,
}

/// Inputs on the channel axis: noisy, control, image.
const INPUTS: usize = 3;
const PATCH_WEIGHT: &str = "patch_embed.proj.weight";
const POSITIONS: &str = "patch_embed.pos_embedding";
const PROJECTOR: &str = "patch_embed.pose_proj.";
const FIRST_WEIGHT: &str = "patch_embed.pose_proj.0.weight";
const FIRST: &str = "patch_embed.pose_proj.0.";

impl Begin {
    /// Checks that the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        match self.latents {
            Latents::Whiten(strength) if !(0.0..=1.0).contains(&strength) => {
                Err(Error::invalid("begin", format!("latents.whiten is {strength}; it is a strength between 0 and 1")))
            }
            _ => Ok(()),
        }
    }

    /// Sets a transformer's parameters anew.
    pub fn apply(&self, transformer: Transformer, seed: u64) -> Transformer {
        let hidden = transformer.config().identity_width();
        transformer.map_published(&mut Setter { begin: *self, seed, fan_in: hidden })
    }
}

struct Setter {
    begin: Begin,
    seed: u64,
    /// Inputs of the projector's first layer.
    fan_in: usize,
}

impl PublishedMapper for Setter {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = key.as_str();
        match self.begin {
            Begin { patch_convolution: PatchConvolution::ZeroControl, .. } if key == PATCH_WEIGHT => {
                let value = param.val();
                let [_, channels, ..] = value.dims()[..] else { return param };
                let part = channels / INPUTS;
                let (before, after) =
                    (value.clone().narrow(1, 0, part), value.narrow(1, 2 * part, channels - 2 * part));
                let value = Tensor::cat(vec![before.clone(), before.zeros_like(), after], 1);
                set(param, value)
            }
            Begin { projector: Projector::ZeroLast, .. } if key.starts_with(PROJECTOR) => {
                let shape = as_stored(&param, param.val()).shape();
                let values = projector_values(self.seed, key, shape.num_elements(), self.fan_in);
                let data = TensorData::new(values, shape);
                let value = Tensor::<D>::from_data(data, (&param.val().device(), DType::F32)).cast(param.val().dtype());
                let id = param.id;
                param.transform_for_load(value, id)
            }
            _ => param,
        }
    }
}

/// A parameter whose layout in memory is the stored one.
fn set<const D: usize>(param: Param<Tensor<D>>, value: Tensor<D>) -> Param<Tensor<D>> {
    let id = param.id;
    let value = as_stored(&param, value).detach();
    param.transform_for_load(value, id)
}

/// PyTorch's values for a linear layer in the first one, uniform within `1 / sqrt(fan_in)`; zero in the last one.
fn projector_values(seed: u64, key: &str, count: usize, fan_in: usize) -> Vec<f32> {
    if !key.starts_with(FIRST) {
        return vec![0.0; count];
    }
    let bound = (fan_in as f64).sqrt().recip();
    let mut random = NoiseGenerator::new(mix(seed, if key == FIRST_WEIGHT { 1 } else { 2 }));
    (0..count).map(|_| ((2.0 * random.uniform() - 1.0) * bound) as f32).collect()
}

/// A transformer of this family from the weights of CogVideoX-5B-I2V (or any other with noisy and image latents, text and no face).
///
/// The patch convolution takes the weights of noisy latents for `[0, 1/3)` of its channels, zero for the control latents and those of
/// image latents for the last third, as the helper of the original does that fits the released weights. The face projector
/// begins as [`Projector::ZeroLast`]. Learned positions of video tokens are taken over, those of identity tokens are zero, as
/// the original's are before training.
///
/// # Errors
/// [`Error::Invalid`] for a key that is missing, or has a shape that cannot be taken over.
pub fn from_image_to_video(
    transformer: Transformer,
    weights: &Weights,
    precision: Precision,
    seed: u64,
) -> Result<Transformer> {
    let identity_width = transformer.config().identity_width();
    let mut failed = None;
    let filled = fill(transformer, precision, |key, shape| {
        source(weights, key, shape, identity_width, seed).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            vec![0.0; shape.iter().product()]
        })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(filled),
    }
}

fn source(weights: &Weights, key: &str, shape: &[usize], identity_width: usize, seed: u64) -> Result<Vec<f32>> {
    let count: usize = shape.iter().product();
    if key.starts_with(PROJECTOR) {
        return Ok(projector_values(seed, key, count, identity_width));
    }
    let (found, values) = read(weights, key)?;
    let misfit = || Error::invalid("base model", format!("`{key}` is {found:?}, {shape:?} is needed"));
    if found == shape {
        return Ok(values);
    }
    match key {
        PATCH_WEIGHT if found.len() == shape.len() && found[0] == shape[0] && found[2..] == shape[2..] => {
            let (own, wanted) = (found[1], shape[1]);
            // Noisy and image latents become noisy, control and image latents.
            if own * INPUTS != wanted * 2 {
                return Err(misfit());
            }
            let size: usize = shape[2..].iter().product();
            let part = wanted / INPUTS * size;
            let widened = values.chunks_exact(own * size).flat_map(|row| {
                row[..part].iter().copied().chain(std::iter::repeat_n(0.0, part)).chain(row[part..].iter().copied())
            });
            Ok(widened.collect())
        }
        POSITIONS if found.len() == 3 && found[2] == shape[2] => {
            let [_, rows, width] = [shape[0], shape[1], shape[2]];
            let video = rows.checked_sub(skyreels_dit::IDENTITY_TOKENS).filter(|video| *video <= found[1]);
            let kept = video.ok_or_else(misfit)? * width;
            let mut positions = vec![0.0; count - kept];
            positions.extend_from_slice(&values[values.len() - kept..]);
            Ok(positions)
        }
        _ => Err(misfit()),
    }
}

/// A stored tensor as f32.
fn read(weights: &Weights, key: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let missing = || Error::invalid("base model", format!("{}: `{key}` is missing", weights.path().display()));
    let (shape, dtype, bytes) = weights.raw(key).ok_or_else(missing)?;
    let dtype = match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => return Err(Error::invalid("base model", format!("`{key}` is {other:?}, not f32, f16 or bf16"))),
    };
    let data = TensorData::from_bytes_vec(bytes.to_vec(), shape.to_vec(), dtype);
    Ok((shape.to_vec(), data.iter::<f32>().collect()))
}
