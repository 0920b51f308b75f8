//! A transformer small enough for tests, with weights and inputs that are the same in every run.

use burn::tensor::{DType, Tensor};
use skyreels_core::checkpoint::{fill, initial_values};
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::{Device, Precision};
use skyreels_dit::{Transformer, TransformerConfig};

pub fn tiny(layers: usize) -> TransformerConfig {
    TransformerConfig {
        num_attention_heads: 2,
        attention_head_dim: 16,
        time_embed_dim: 32,
        text_embed_dim: 20,
        num_layers: layers,
        sample_width: 8,
        sample_height: 6,
        sample_frames: 5,
        use_learned_positional_embeddings: false,
        pose_embed_width: Some(6),
        ..TransformerConfig::a1_5b()
    }
}

pub fn filled(model: Transformer, precision: Precision) -> Transformer {
    fill(model, precision, |key, shape| initial_values(5, key, shape))
}

pub fn input<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    NoiseGenerator::new(seed).normal(shape, device)
}

pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.cast(DType::F32).into_data().try_to_vec().unwrap()
}

/// Norm of the difference, as a share of the norm of `b`.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}
