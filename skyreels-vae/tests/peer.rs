//! The work that the PyTorch original is timed on gives the original's numbers here.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value;
use skyreels_core::checkpoint::{Published, fill};
use skyreels_core::{Precision, Progress};
use skyreels_vae::{CausalVae, Tiling, VaeConfig};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/peer/bench_peer.json");

/// `count` numbers in `[-1, 1)` from 32-bit arithmetic; `tensor` numbers the tensor.
fn hashed(count: usize, tensor: u32) -> impl Iterator<Item = f64> {
    let offset = 0x9E37_79B9_u32.wrapping_mul(tensor + 1);
    (0..count as u32).map(move |index| {
        let mut h = index.wrapping_add(offset);
        h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
        h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
        f64::from(h ^ (h >> 16)) / 2_147_483_648.0 - 1.0
    })
}

fn input(shape: [usize; 5], device: &Device) -> Tensor<5> {
    let data: Vec<f32> = hashed(shape.iter().product(), 1000).map(|u| (u * 3f64.sqrt()) as f32).collect();
    Tensor::from_data(TensorData::new(data, shape), device)
}

fn peers_vae(device: &Device) -> CausalVae {
    let config = VaeConfig { block_out_channels: vec![32, 64, 64, 128], ..VaeConfig::published() };
    let vae = CausalVae::new(&config, device).unwrap();
    let numbers: BTreeMap<String, u32> = vae.published_shapes().into_keys().zip(0..).collect();
    fill(vae, Precision::F32, |key, shape| {
        let inputs: usize = shape[1..].iter().product();
        let (offset, amplitude) = match shape.len() {
            1 if key.ends_with("weight") => (1.0, 0.1),
            1 => (0.0, 0.02),
            _ => (0.0, (3.0 / inputs as f64).sqrt()),
        };
        hashed(shape.iter().product(), numbers[key]).map(|u| (offset + amplitude * u) as f32).collect()
    })
}

/// Compares with the `check` of a case: shape, root mean square and first values.
fn assert_agrees(case: &Value, ours: Tensor<5>) {
    let check = &case["check"]["out0"];
    let shape: Vec<usize> = serde_json::from_value(check["shape"].clone()).unwrap();
    assert_eq!(ours.dims().to_vec(), shape);
    let data: Vec<f32> = ours.into_data().try_to_vec().unwrap();
    let rms = (data.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / data.len() as f64).sqrt();
    let expected = check["rms"].as_f64().unwrap();
    assert!((rms / expected - 1.0).abs() < 1e-5, "rms {rms}, the original has {expected}");
    for (ours, theirs) in data.iter().zip(check["first"].as_array().unwrap()) {
        assert!((f64::from(*ours) - theirs.as_f64().unwrap()).abs() < 2e-5, "{ours} {theirs}");
    }
}

#[test]
fn the_work_of_the_peer_gives_the_numbers_of_the_peer() {
    let Ok(text) = std::fs::read(PEER) else {
        println!("skipped: {PEER} is not here");
        return;
    };
    let peer: Value = serde_json::from_slice(&text).unwrap();
    let device = Device::flex();
    let vae = peers_vae(&device);
    for _ in 0..std::env::var("PEER_RUNS").map_or(1, |runs| runs.parse().unwrap()) {
        let start = std::time::Instant::now();
        let posterior = vae.encode(input([1, 3, 9, 96, 144], &device), Tiling::Off, Progress::none()).unwrap();
        println!("encode {:?}", start.elapsed());
        assert_agrees(&peer["cases"]["vae_encode"], posterior.mean);
        let start = std::time::Instant::now();
        let frames = vae.decode(input([1, 16, 3, 12, 18], &device), Tiling::Off, Progress::none()).unwrap();
        println!("decode {:?}", start.elapsed());
        assert_agrees(&peer["cases"]["vae_decode"], frames);
    }
}
