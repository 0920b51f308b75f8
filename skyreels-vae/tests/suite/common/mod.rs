//! A small VAE with weights that every run has the same.

use burn::tensor::{Device, Tensor, TensorData};
use skyreels_core::Precision;
use skyreels_core::checkpoint::fill;
use skyreels_vae::{CausalVae, VaeConfig};

pub fn small_config() -> VaeConfig {
    VaeConfig {
        block_out_channels: vec![8, 8, 16, 16],
        layers_per_block: 1,
        norm_num_groups: 4,
        latent_channels: 4,
        sample_height: 96,
        sample_width: 80,
        down_block_types: Vec::new(),
        up_block_types: Vec::new(),
        ..VaeConfig::published()
    }
}

/// Numbers in `[-1, 1)` from their place and a salt.
pub fn hashed(count: usize, salt: u64) -> impl Iterator<Item = f32> {
    (0..count as u64).map(move |index| {
        let mut z = (index + 1).wrapping_add(salt.wrapping_mul(0x9E37_79B9)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z >> 40) as f64 / f64::from(1u32 << 23) - 1.0) as f32
    })
}

pub fn noise(shape: [usize; 5], salt: u64, device: &Device) -> Tensor<5> {
    let data: Vec<f32> = hashed(shape.iter().product(), salt).collect();
    Tensor::from_data(TensorData::new(data, shape), device)
}

/// A VAE whose activations stay near one.
pub fn vae(config: &VaeConfig, precision: Precision, device: &Device) -> CausalVae {
    let mut salt = 0;
    fill(CausalVae::new(config, device).unwrap(), precision, |key, shape| {
        salt += 1;
        let inputs: usize = shape[1..].iter().product();
        let (offset, amplitude) = match shape.len() {
            1 if key.ends_with("weight") => (1.0, 0.1),
            1 => (0.0, 0.02),
            _ => (0.0, (3.0 / inputs as f32).sqrt()),
        };
        hashed(shape.iter().product(), salt).map(|u| offset + amplitude * u).collect()
    })
}
