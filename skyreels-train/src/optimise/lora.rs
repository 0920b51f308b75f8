//! LoRA: matrices that learn through two narrow factors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::{
    Key, Published, PublishedMapper, initial_values, lora_keys, low_rank_update, save_lora,
};

use super::adamw::Optimizer;
use super::gradients::Gradients;
use super::trained::{stored, with_flat};
use crate::{Error, Result};

/// Which matrices learn through factors, and how wide those are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoraSettings {
    /// Rows of `A` and columns of `B`.
    pub rank: usize,
    /// The product is multiplied by `alpha / rank`; by default alpha is the rank, and the factor 1.
    pub alpha: Option<f64>,
    /// Patterns of the matrices' keys; by default queries, keys, values and outputs of all attention, as diffusers' script for
    /// CogVideoX has it.
    pub keys: Vec<String>,
}

impl Default for LoraSettings {
    fn default() -> Self {
        const RANK: usize = 16;
        let key = |layer: &str| format!("transformer.transformer_blocks.*.attn1.{layer}.weight");
        Self { rank: RANK, alpha: None, keys: ["to_q", "to_k", "to_v", "to_out.0"].map(key).to_vec() }
    }
}

impl LoraSettings {
    /// `alpha / rank`.
    pub fn scale(&self) -> f64 {
        self.alpha.map_or(1.0, |alpha| alpha / self.rank as f64)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the field.
    pub fn validate(&self) -> Result<()> {
        if self.rank == 0 || self.alpha.is_some_and(|alpha| !alpha.is_finite() || alpha == 0.0) {
            return Err(Error::invalid("lora", "rank is at least 1, and alpha a number other than 0"));
        }
        Ok(())
    }
}

/// Low-rank updates of frozen matrices, `W = W0 + s B A` with `s = alpha / rank` (Hu et al., 2021).
///
/// The networks compute with `W` and know nothing of factors: from the gradient `G` of `W` follow `dB = s G A^T` and `dA = s B^T G`. That
/// costs the gradient of `W` and a copy of `W0`, each as large as `W`, and leaves the networks as they are.
///
/// Factors are flat f32 tensors by their keys in the file of a LoRA.
#[derive(Debug, Clone)]
pub struct LowRank {
    scale: f64,
    rank: usize,
    matrices: BTreeMap<String, Matrix>,
    factors: BTreeMap<String, Tensor<1>>,
}

#[derive(Debug, Clone)]
struct Matrix {
    /// `W0`, flat in the stored layout and its own type.
    frozen: Tensor<1>,
    /// Outputs and inputs.
    size: [usize; 2],
    /// Keys of `A` and `B`.
    keys: [String; 2],
}

impl LowRank {
    /// Checks that these keys are matrices, which alone have factors.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is none.
    pub fn check<M: Published>(module: &M, keys: &BTreeSet<String>) -> Result<()> {
        let shapes = module.published_shapes();
        keys.iter().try_for_each(|key| layout(key, shapes.get(key).map(Vec::as_slice).unwrap_or_default()).map(drop))
    }

    /// Updates that are still nothing: `B` is zero, `A` normal with the variance of PEFT's uniform values, `1 / (3 in)`.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) and of the settings.
    pub fn new<M: Published>(module: &M, keys: &BTreeSet<String>, settings: &LoraSettings, seed: u64) -> Result<Self> {
        settings.validate()?;
        let shapes = module.published_shapes();
        let (mut matrices, mut factors) = (BTreeMap::new(), BTreeMap::new());
        for (key, frozen) in stored(module, keys) {
            let (size, keys) = layout(&key, shapes.get(&key).map(Vec::as_slice).unwrap_or_default())?;
            let (device, [out, input]) = (frozen.device(), size);
            let mut down = initial_values(seed, &keys[0], &[settings.rank, input]);
            down.iter_mut().for_each(|value| *value /= 3f32.sqrt());
            factors.insert(keys[0].clone(), flat(down, &device));
            factors.insert(keys[1].clone(), Tensor::zeros([out * settings.rank], (&device, DType::F32)));
            matrices.insert(key, Matrix { frozen, size, keys });
        }
        Ok(Self { scale: settings.scale(), rank: settings.rank, matrices, factors })
    }

    /// The same updates with other factors.
    ///
    /// # Errors
    /// [`Error::Invalid`] when one is missing or of another size.
    pub fn with_factors(mut self, others: &BTreeMap<String, Tensor<1>>) -> Result<Self> {
        for (key, factor) in &mut self.factors {
            let other = others.get(key).filter(|other| other.dims() == factor.dims()).ok_or_else(|| {
                let reason = format!(
                    "`{key}` with {} values is missing; resume with the settings it began with",
                    factor.dims()[0]
                );
                Error::invalid("LoRA of the checkpoint", reason)
            })?;
            *factor = other.clone();
        }
        Ok(self)
    }

    /// Factors by key.
    pub fn factors(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.factors
    }

    /// `A` and `s B` of a matrix.
    fn pair(&self, matrix: &Matrix) -> [Tensor<2>; 2] {
        let [out, input] = matrix.size;
        let [down, up] = matrix.keys.each_ref().map(|key| self.factors[key].clone());
        [down.reshape([self.rank, input]), up.reshape([out, self.rank]).mul_scalar(self.scale)]
    }

    /// Puts the gradients of the factors in the place of those of the matrices.
    pub fn project(&self, gradients: &mut Gradients) {
        for (key, matrix) in &self.matrices {
            let Some(gradient) = gradients.take(key) else { continue };
            let [down, up] = self.pair(matrix);
            let gradient = gradient.to_device(&down.device()).reshape(matrix.size);
            let up_gradient = gradient.clone().matmul(down.transpose()).mul_scalar(self.scale);
            let down_gradient = up.transpose().matmul(gradient);
            for (key, gradient) in matrix.keys.iter().zip([down_gradient, up_gradient]) {
                let count = gradient.shape().num_elements();
                gradients.insert(key.clone(), gradient.reshape([count]));
            }
        }
    }

    /// One step on every factor that has a gradient.
    pub fn step(&mut self, optimizer: &mut Optimizer, gradients: &mut Gradients, learning_rate: f64) {
        for (key, factor) in &mut self.factors {
            if let Some(gradient) = gradients.take(key) {
                *factor = optimizer.advance(key, factor.clone(), gradient, learning_rate);
            }
        }
    }

    /// The module with `W0 + s B A`.
    pub fn apply<M: Published>(&self, module: M) -> M {
        module.map_published(&mut Setter { update: self, is_applied: true })
    }

    /// The module with `W0`, to the byte.
    pub fn without<M: Published>(&self, module: M) -> M {
        module.map_published(&mut Setter { update: self, is_applied: false })
    }

    /// Writes `A` and `s B`: what the program's `--lora` and diffusers add to `W0`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let named = |matrix: &Matrix| matrix.keys.clone().into_iter().zip(self.pair(matrix)).collect::<Vec<_>>();
        Ok(save_lora(self.matrices.values().flat_map(named).collect(), path)?)
    }
}

/// One matrix after the other: all together in f32 would be as large as the model.
struct Setter<'a> {
    update: &'a LowRank,
    is_applied: bool,
}

impl PublishedMapper for Setter<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(matrix) = self.update.matrices.get(key.as_str()) else { return param };
        let frozen = matrix.frozen.clone();
        if !self.is_applied {
            return with_flat(param, frozen);
        }
        let [out, input] = matrix.size;
        let [down, up] = self.update.pair(matrix);
        with_flat(param, low_rank_update(frozen.reshape(matrix.size), down, up).reshape([out * input]))
    }
}

/// Outputs and inputs of a matrix, and the keys of its factors.
fn layout(key: &str, shape: &[usize]) -> Result<([usize; 2], [String; 2])> {
    if let (&[out, input], Some(keys)) = (shape, lora_keys(key)) {
        return Ok(([out, input], keys));
    }
    let reason =
        format!("`{key}` is {shape:?}; only the weights of linear layers have factors: narrow the patterns of `keys`");
    Err(Error::invalid("lora", reason))
}

fn flat(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), (device, DType::F32))
}
