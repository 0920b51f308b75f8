//! Times one forward pass of the transformer at the size that the PyTorch original is timed at,
//! after checking that both compute the same: `cargo run --release --example peer_speed [runs]`.

use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{DType, Tensor, TensorData};
use skyreels_core::checkpoint::{Published, fill};
use skyreels_core::{Device, Precision};
use skyreels_dit::TransformerConfig;

/// Numbers in `[-1, 1)` that any program can make: an integer hash of position and tensor number.
fn hashed(count: usize, tensor: u32) -> impl Iterator<Item = f64> {
    (0..count as u32).map(move |i| {
        let mut h = i.wrapping_add(0x9E37_79B9_u32.wrapping_mul(tensor + 1));
        h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
        h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
        f64::from(h ^ (h >> 16)) / 2_147_483_648.0 - 1.0
    })
}

fn data<const D: usize>(number: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = hashed(shape.iter().product(), 1000 + number).map(|u| (u * 3f64.sqrt()) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(5), |runs| runs.parse())?;
    let device = Device::flex();
    let config = TransformerConfig {
        num_attention_heads: 8,
        text_embed_dim: 1024,
        num_layers: 8,
        sample_width: 48,
        sample_height: 32,
        sample_frames: 17,
        use_learned_positional_embeddings: false,
        ..TransformerConfig::a1_5b()
    };
    let model = config.init(&device)?;
    let numbers: BTreeMap<String, u32> = model.published_shapes().into_keys().zip(0..).collect();
    let model = fill(model, Precision::F32, |key, shape| {
        let fan_in: usize = shape[1..].iter().product();
        let value = |u: f64| match (shape.len(), key.ends_with("weight")) {
            (1, true) => 1.0 + 0.1 * u,
            (1, false) => 0.02 * u,
            _ => u * (3.0 / fan_in as f64).sqrt(),
        };
        hashed(shape.iter().product(), numbers[key]).map(|u| value(u) as f32).collect()
    });
    let latents = data(0, [1, 5, 48, 32, 48], &device);
    let identity = data(1, [1, 729, 1152], &device);
    let rotary = config.rotary(5, 32, 48, &device)?;
    let forward = || model.forward(latents.clone(), identity.clone(), &[500], &rotary);

    let velocity: Vec<f32> = forward()?.into_data().iter().collect();
    let square = |v: &f32| f64::from(*v) * f64::from(*v);
    let rms = (velocity.iter().map(square).sum::<f64>() / velocity.len() as f64).sqrt();
    println!("rms {rms:.9}, first {:?}", &velocity[..6]);
    let mut seconds: Vec<f64> = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let velocity = forward()?;
        device.sync()?;
        drop(velocity);
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    let median = seconds[runs / 2];
    let work = config.flops(1, [5, 32, 48], 729)? as f64;
    println!("median {median:.3} s, least {:.3} s, {:.0} GFLOP/s", seconds[0], work / median / 1e9);
    Ok(())
}
