//! The one source of randomness of a run.

use std::f64::consts::TAU;

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A seeded generator of standard normal values on the host: the same on every machine and
/// device.
///
/// ChaCha with 8 rounds, seeded by `seed_from_u64`; each pair of values is a Box-Muller transform
/// in f64 of two 53-bit uniforms, `r = sqrt(-2 ln(1 - u))`, `(r cos 2 pi w, r sin 2 pi w)`, rounded
/// to f32. PyTorch's generators are not reproduced: to compare with them, hand in their tensors.
#[derive(Debug, Clone)]
pub struct NoiseGenerator {
    random: ChaCha8Rng,
}

impl NoiseGenerator {
    /// A generator that depends on nothing but `seed`.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The next `count` values. An odd count spends a whole pair on its last value.
    pub fn normal_values(&mut self, count: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            let (sine, cosine) = (TAU * self.uniform()).sin_cos();
            values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
        }
        values.truncate(count);
        values
    }

    /// The next values as an f32 tensor, row-major.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = self.normal_values(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
    }

    /// The next value, uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
