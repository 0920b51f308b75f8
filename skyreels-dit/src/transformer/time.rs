//! The timestep as a vector.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::nn::linear;

use super::config::TransformerConfig;
use crate::activation::{Activation, timestep_activation};

/// Longest period of the timestep code.
const MAX_PERIOD: f64 = 10_000.0;

/// Sinusoidal code of timesteps (`get_timestep_embedding` of diffusers): `[cos | sin]` of
/// `t * exp(-ln(10000) i / (width / 2 - freq_shift))`, or `[sin | cos]` unless `flip_sin_to_cos`;
/// the last number of an odd width is zero.
///
/// Rounded where the original rounds (exponent, frequency and angle to f32), because at
/// `t = 999` one rounding of the frequency moves the angle by more than f32's own error.
///
/// # Shapes
/// `-> [timesteps, width]`, f32
pub fn timestep_code(
    timesteps: &[usize],
    width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    device: &Device,
) -> Tensor<2> {
    let half = width / 2;
    let divisor = (half as f64 - freq_shift) as f32;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| {
            let exponent = -(MAX_PERIOD.ln() as f32) * i as f32 / divisor;
            f64::from(exponent).exp() as f32
        })
        .collect();
    let mut code = Vec::with_capacity(timesteps.len() * width);
    for &timestep in timesteps {
        let angles = || frequencies.iter().map(|frequency| f64::from(timestep as f32 * frequency));
        let functions: [fn(f64) -> f64; 2] = if flip_sin_to_cos { [f64::cos, f64::sin] } else { [f64::sin, f64::cos] };
        for function in functions {
            code.extend(angles().map(|angle| function(angle) as f32));
        }
        code.extend((2 * half..width).map(|_| 0.0));
    }
    Tensor::from_data(TensorData::new(code, [timesteps.len(), width]), (device, DType::F32))
}

/// Two linear layers on the timestep code (`TimestepEmbedding` of diffusers).
#[derive(Module, Debug)]
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    #[module(skip)]
    activation: Activation,
}

impl TimeEmbedding {
    pub(super) fn new(config: &TransformerConfig, device: &Device) -> Self {
        let width = config.time_embed_dim;
        Self {
            linear_1: linear(config.width(), width, device),
            linear_2: linear(width, width, device),
            activation: timestep_activation(&config.timestep_activation_fn).expect("the configuration was validated"),
        }
    }

    /// `linear_2(silu(linear_1(code)))` in the published model.
    ///
    /// # Shapes
    /// `[batch, code] -> [batch, time_embed_dim]`
    pub fn forward(&self, code: Tensor<2>) -> Tensor<2> {
        self.linear_2.forward(self.activation.apply(self.linear_1.forward(code)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(width: usize, flip: bool, shift: f64) -> Vec<f32> {
        timestep_code(&[3], width, flip, shift, &Device::flex()).into_data().iter().collect()
    }

    #[test]
    fn halves_change_places_and_an_odd_width_ends_in_zero() {
        let (cos_first, sin_first) = (code(6, true, 0.0), code(6, false, 0.0));
        assert_eq!(cos_first[..3], sin_first[3..]);
        assert_eq!(cos_first[3..], sin_first[..3]);
        assert!((cos_first[0] - 3.0_f32.cos()).abs() < 1e-6);
        assert_eq!(code(7, true, 0.0), [&cos_first[..], &[0.0]].concat());
    }

    #[test]
    fn the_shift_moves_the_last_frequency_to_the_longest_period() {
        // With a shift of one, the frequencies reach 1 / 10000 exactly.
        let last = code(6, false, 1.0)[2];
        assert!((last - 3e-4).abs() < 1e-9, "{last:e}");
    }
}
