//! The timestep as a vector.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::nn::{linear, silu};

/// Longest period of the timestep code.
const MAX_PERIOD: f64 = 10_000.0;

/// Sinusoidal code of timesteps, `[cos | sin]` of `t * exp(-ln(10000) i / (width / 2))`.
///
/// Rounded where the original rounds (exponent, frequency and angle to f32), because at
/// `t = 999` one rounding of the frequency moves the angle by more than f32's own error.
///
/// # Shapes
/// `-> [timesteps, width]`, f32
pub fn timestep_code(timesteps: &[usize], width: usize, device: &Device) -> Tensor<2> {
    let half = width / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| {
            let exponent = -(MAX_PERIOD.ln() as f32) * i as f32 / half as f32;
            f64::from(exponent).exp() as f32
        })
        .collect();
    let mut code = Vec::with_capacity(timesteps.len() * width);
    for &timestep in timesteps {
        let angles = || frequencies.iter().map(|frequency| f64::from(timestep as f32 * frequency));
        code.extend(angles().map(|angle| angle.cos() as f32));
        code.extend(angles().map(|angle| angle.sin() as f32));
    }
    Tensor::from_data(TensorData::new(code, [timesteps.len(), 2 * half]), (device, DType::F32))
}

/// Two linear layers on the timestep code (`TimestepEmbedding` of diffusers).
#[derive(Module, Debug)]
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    pub(super) fn new(code: usize, width: usize, device: &Device) -> Self {
        Self { linear_1: linear(code, width, device), linear_2: linear(width, width, device) }
    }

    /// `linear_2(silu(linear_1(code)))`.
    ///
    /// # Shapes
    /// `[batch, code] -> [batch, time_embed_dim]`
    pub fn forward(&self, code: Tensor<2>) -> Tensor<2> {
        self.linear_2.forward(silu(self.linear_1.forward(code)))
    }
}
