//! Objectives and losses: exact conversions, gradients against finite differences.

use burn::tensor::{DType, Device, Tensor, TensorData};
use proptest::prelude::*;
use skyreels_core::diffusion::{NoiseGenerator, Prediction, Schedule, SchedulerConfig};
use skyreels_train::Error;
use skyreels_train::loss::{FaceAware, Objective, latent_weights, weighted_mse};

const SHAPE: [usize; 5] = [2, 3, 4, 2, 2];

fn schedule(prediction: &str) -> Schedule {
    let config = serde_json::json!({
        "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "prediction_type": prediction, "rescale_betas_zero_snr": true, "snr_shift_scale": 1.0,
        "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": true, "clip_sample": false
    });
    Schedule::new(&serde_json::from_value::<SchedulerConfig>(config).unwrap()).unwrap()
}

fn far(a: Tensor<5>, b: Tensor<5>) -> f32 {
    let scale: f32 = b.clone().abs().max().into_scalar();
    (a - b).abs().max().into_scalar::<f32>() / scale
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_perfect_network_has_no_error_in_any_form(seed in 0u64..1000, first in 1usize..900, second in 1usize..900) {
        let device = Device::flex();
        let mut noise = NoiseGenerator::new(seed);
        let (x0, noise) = (noise.normal(SHAPE, &device), noise.normal(SHAPE, &device));
        let timesteps = [first, second];
        let forms = [Prediction::Velocity, Prediction::Epsilon, Prediction::Sample];
        for (said, name) in forms.into_iter().zip(["v_prediction", "epsilon", "sample"]) {
            let schedule = schedule(name);
            let noisy = schedule.add_noise(x0.clone(), noise.clone(), &timesteps);
            let perfect = Objective::new(&schedule).measured_on(said).target(x0.clone(), noise.clone(), &timesteps);
            for measured in forms {
                let objective = Objective::new(&schedule).measured_on(measured);
                let converted = objective.prediction(perfect.clone(), noisy.clone(), &timesteps).unwrap();
                let difference = far(converted, objective.target(x0.clone(), noise.clone(), &timesteps));
                prop_assert!(difference < 1e-2, "{said:?} as {measured:?}: {difference}");
            }
        }
    }

    #[test]
    fn averaging_keeps_the_mean_of_every_latent_frame(seed in 0u64..1000, k in 1usize..4) {
        let (frames, height, width) = (4 * k + 1, 16, 24);
        let values = NoiseGenerator::new(seed).normal_values(frames * height * width);
        let pooled = latent_weights(&values, [frames, height, width], [k + 1, 2, 3], &Device::flex()).unwrap();
        let pooled: Vec<f32> = pooled.into_data().try_to_vec().unwrap();
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        for (number, latent) in pooled.chunks(6).enumerate() {
            let first = if number == 0 { 0 } else { 4 * number - 3 };
            let covered = &values[first * height * width..(4 * number + 1) * height * width];
            prop_assert!((mean(latent) - mean(covered)).abs() < 1e-4);
        }
    }
}

#[test]
fn what_noise_cannot_say_is_an_error() {
    let schedule = schedule("epsilon");
    let zeros = || Tensor::<5>::zeros(SHAPE, &Device::flex());
    let error = Objective::new(&schedule).prediction(zeros(), zeros(), &[0, 999]).unwrap_err();
    assert!(matches!(error, Error::Undefined { timestep: 999, .. }), "{error}");
}

#[test]
fn weights_that_do_not_tile_the_latents_are_refused() {
    for (size, latents) in
        [([6, 16, 24], [3, 2, 3]), ([5, 15, 24], [2, 2, 3]), ([2, 16, 24], [1, 2, 3]), ([5, 16, 24], [2, 0, 3])]
    {
        let values = vec![1.0; size.iter().product()];
        assert!(latent_weights(&values, size, latents, &Device::flex()).is_err(), "{size:?} to {latents:?}");
    }
}

#[test]
fn the_gradient_of_the_face_aware_loss_is_that_of_finite_differences() {
    let device = Device::flex();
    let mut noise = NoiseGenerator::new(3);
    let (prediction, target) = (noise.normal_values(96), noise.normal_values(96));
    // A square that moves four pixels.
    let magnitude: Vec<f32> = (0..32 * 32).map(|i| if i % 32 < 9 && i / 32 < 9 { 4.0 } else { 0.0 }).collect();
    let weights = FaceAware::default().clip_weights(&vec![magnitude; 4], 32 * 32);
    let weights = latent_weights(&weights, [5, 32, 32], [2, 4, 4], &device).unwrap();
    let shape = [1, 2, 3, 4, 4];
    let tensor = |values: &[f32], device: &Device| {
        Tensor::<5>::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F32))
    };
    let tracked = device.clone().autodiff();
    let leaf = tensor(&prediction, &tracked).require_grad();
    let to_tracked = |plain: Tensor<5>| Tensor::<5>::from_data(plain.into_data(), (&tracked, DType::F32));
    let loss = weighted_mse(leaf.clone(), tensor(&target, &tracked), to_tracked(weights.clone()));
    let gradient: Vec<f32> = leaf.grad(&loss.backward()).unwrap().into_data().try_to_vec().unwrap();

    let weights: Vec<f32> = weights.into_data().try_to_vec().unwrap();
    assert!(weights.iter().any(|weight| *weight > 1.1) && weights.contains(&1.0));
    // The loss in f64, where a small step still shows.
    let loss = |values: &[f64]| -> f64 {
        let cell = |i: usize| f64::from(weights[i / 48 * 16 + i % 16]);
        (0..96).map(|i| cell(i) * (values[i] - f64::from(target[i])).powi(2)).sum::<f64>() / 96.0
    };
    let at: Vec<f64> = prediction.iter().map(|value| f64::from(*value)).collect();
    for i in 0..96 {
        let moved = |step: f64| {
            let mut values = at.clone();
            values[i] += step;
            loss(&values)
        };
        let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        assert!((slope - f64::from(gradient[i])).abs() < 1e-6 + 1e-4 * slope.abs(), "{i}: {slope} and {}", gradient[i]);
    }
}
