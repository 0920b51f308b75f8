//! Classifier-free guidance (Ho and Salimans, 2022).

use std::f64::consts::PI;

use burn::tensor::Tensor;

/// Exponent of the dynamic guidance of CogVideoX.
const DYNAMIC_POWER: i32 = 5;

/// Guidance scale over a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Guidance {
    /// The same scale at every step; the published setting is 3.
    Constant(f64),
    /// Rises from 1 to `1 + scale` along a cosine of the fraction of steps done.
    Dynamic(f64),
    /// The dynamic guidance of the original to the letter: it puts the timestep where the step
    /// belongs, so that the scale swings without order.
    DynamicCompat(f64),
}

impl Guidance {
    /// The scale at step `index` of `steps`, which is at `timestep`.
    pub fn scale(&self, index: usize, steps: usize, timestep: i64) -> f64 {
        let cosine = |fraction: f64| (1.0 - (PI * fraction.powi(DYNAMIC_POWER)).cos()) / 2.0;
        match self {
            Self::Constant(scale) => *scale,
            Self::Dynamic(scale) => 1.0 + scale * cosine((index + 1) as f64 / steps as f64),
            Self::DynamicCompat(scale) => 1.0 + scale * cosine((steps as f64 - timestep as f64) / steps as f64),
        }
    }

    /// False when every step is the conditional prediction alone: no unconditional pass is needed.
    pub fn needs_unconditional(&self) -> bool {
        *self != Self::Constant(1.0)
    }
}

/// `unconditional + scale (conditional - unconditional)`.
pub fn guide<const D: usize>(unconditional: Tensor<D>, conditional: Tensor<D>, scale: f64) -> Tensor<D> {
    unconditional.clone() + (conditional - unconditional) * scale
}
