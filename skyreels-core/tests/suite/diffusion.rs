//! What always holds of the diffusion process, whatever the numbers.

use burn::tensor::{Tensor, TensorData};
use proptest::prelude::*;
use skyreels_core::diffusion::{Guidance, NoiseGenerator, Sampler, SamplerKind, Schedule, SchedulerConfig, guide};
use skyreels_core::{Device, open_device};

fn device() -> Device {
    open_device("cpu").unwrap()
}

fn published() -> SchedulerConfig {
    serde_json::from_str(
        r#"{"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "snr_shift_scale": 1.0,
            "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": true, "clip_sample": false}"#,
    )
    .unwrap()
}

fn tensor(values: Vec<f32>) -> Tensor<2> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [1, count]), &device())
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn the_table_of_the_published_schedule() {
    let schedule = Schedule::new(&published()).unwrap();
    assert_eq!(schedule.timesteps(10).unwrap(), [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]);
    assert_eq!(&schedule.timesteps(20).unwrap()[..3], [999, 949, 899]);
    let expected = [(999, 0.0), (899, 0.003033072371), (499, 0.242359166556), (99, 0.888085894794)];
    for (timestep, alpha) in expected {
        assert!((schedule.alpha(timestep) - alpha).abs() < 1e-11, "{timestep}: {}", schedule.alpha(timestep));
    }
    assert_eq!(schedule.alpha(-1), 1.0);
}

#[test]
fn a_missing_field_is_an_error_and_not_a_default() {
    let error = serde_json::from_str::<SchedulerConfig>(r#"{"num_train_timesteps": 1000}"#).unwrap_err();
    assert!(error.to_string().contains("beta_start"), "{error}");
}

#[test]
fn impossible_step_counts_are_errors() {
    let schedule = Schedule::new(&published()).unwrap();
    assert!(schedule.timesteps(0).is_err());
    assert!(schedule.timesteps(1001).is_err());
    assert_eq!(schedule.timesteps(1000).unwrap().len(), 1000);
}

#[test]
fn the_same_seed_gives_the_same_noise_and_another_seed_another() {
    let mut first = NoiseGenerator::new(43);
    let mut second = NoiseGenerator::new(43);
    assert_eq!(first.normal_values(1001), second.normal_values(1001));
    assert_eq!(first.normal_values(7), second.normal_values(7));
    assert_ne!(NoiseGenerator::new(44).normal_values(5), NoiseGenerator::new(43).normal_values(5));
}

/// The generator is documented, so that another program can draw the same noise: these values were computed by one in
/// another language from the documentation (ChaCha8, `seed_from_u64`, Box-Muller in f64).
#[test]
fn the_first_values_of_a_seed_are_those_of_the_documented_generator() {
    let documented: [f32; 8] =
        [-1.535_541_3, 0.333_908_95, 1.440_461_8, 0.572_111_9, -1.956_916_3, -0.629_474_94, 1.726_787_2, -0.741_759_9];
    // Sine, cosine and logarithm of another machine may round the last bit otherwise.
    let near = |(ours, theirs): (f32, f32)| (ours - theirs).abs() <= f32::EPSILON * theirs.abs();
    assert!(NoiseGenerator::new(0).normal_values(8).into_iter().zip(documented).all(near));
}

#[test]
fn trailing_timesteps_round_as_numpy_does() {
    let schedule = Schedule::new(&published()).unwrap();
    // numpy.round(numpy.arange(1000, 0, -1000 / 48)) - 1, the first 24.
    let of_48 = [
        999, 978, 957, 936, 916, 895, 874, 853, 832, 811, 791, 770, 749, 728, 707, 686, 666, 645, 624, 603, 582, 561,
        541, 520,
    ];
    assert_eq!(schedule.timesteps(48).unwrap()[..24], of_48);
    // Here the original has a timestep more, -1.
    assert_eq!(schedule.timesteps(61).unwrap().len(), 61);
    for steps in 1..=1_000 {
        let timesteps = schedule.timesteps(steps).unwrap();
        assert_eq!((timesteps.len(), timesteps[0]), (steps, 999));
        assert!(timesteps.windows(2).all(|pair| pair[0] > pair[1]) && timesteps[steps - 1] >= 0, "{steps} steps");
    }
}

#[test]
fn noise_is_standard_normal() {
    let noise = NoiseGenerator::new(1).normal_values(200_000);
    let count = noise.len() as f64;
    let mean = noise.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = noise.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / count;
    let kurtosis = noise.iter().map(|v| f64::from(*v).powi(4)).sum::<f64>() / count;
    assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02 && (kurtosis - 3.0).abs() < 0.1);
}

#[test]
fn guidance_scale_one_needs_no_unconditional_pass_and_dynamic_guidance_rises() {
    assert!(!Guidance::Constant(1.0).needs_unconditional());
    assert!(Guidance::Constant(3.0).needs_unconditional());
    let scales: Vec<f64> = (0..10).map(|i| Guidance::Dynamic(3.0).scale(i, 10, 0)).collect();
    assert!(scales.windows(2).all(|w| w[0] <= w[1]) && (scales[9] - 4.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A network that always knows the truth is led to it, whatever the noise.
    #[test]
    fn the_sampler_ends_at_x0(steps in 1usize..30, seed in any::<u64>(), dpm in any::<bool>()) {
        let kind = if dpm { SamplerKind::Dpm } else { SamplerKind::Ddim };
        let schedule = Schedule::new(&published()).unwrap();
        let mut noise = NoiseGenerator::new(seed);
        let x0 = tensor(noise.normal_values(8));
        let mut sample = tensor(noise.normal_values(8));
        let mut sampler = Sampler::<2>::new(schedule.clone(), kind, steps).unwrap();
        for (index, timestep) in sampler.timesteps().to_vec().into_iter().enumerate() {
            // The velocity that leads from this sample to x0: (sqrt(a) x - x0) / sqrt(1 - a).
            let alpha = schedule.alpha(timestep);
            let velocity = (sample.clone() * alpha.sqrt() - x0.clone()) / (1.0 - alpha).sqrt();
            sample = sampler.step(index, velocity, sample, || tensor(noise.normal_values(8))).previous;
        }
        let end = schedule.alpha(sampler.timesteps()[steps - 1] - schedule.stride(steps));
        // Strides that do not divide the schedule end one timestep early, with a little noise left.
        let allowed = if end == 1.0 { 1e-3 } else { 8.0 * (1.0 - end).sqrt() as f32 + 1e-3 };
        for (a, b) in values(sample).into_iter().zip(values(x0)) {
            prop_assert!((a - b).abs() <= allowed, "{a} {b} {allowed}");
        }
    }

    #[test]
    fn guidance_is_linear(scale in 0.0f64..10.0, a in prop::collection::vec(-2f32..2.0, 6), b in prop::collection::vec(-2f32..2.0, 6)) {
        let ours = values(guide(tensor(a.clone()), tensor(b.clone()), scale));
        for ((ours, u), c) in ours.into_iter().zip(&a).zip(&b) {
            prop_assert!((f64::from(ours) - ((1.0 - scale) * f64::from(*u) + scale * f64::from(*c))).abs() < 1e-4);
        }
        let same = values(guide(tensor(a.clone()), tensor(a.clone()), scale));
        prop_assert_eq!(same, a);
    }

    /// Noise and velocity are a rotation of (x0, noise): the pair can be turned back.
    #[test]
    fn add_noise_and_velocity_invert(timestep in 0usize..1000, seed in any::<u64>()) {
        let schedule = Schedule::new(&published()).unwrap();
        let mut random = NoiseGenerator::new(seed);
        let (x0, noise) = (tensor(random.normal_values(6)), tensor(random.normal_values(6)));
        let z = schedule.add_noise(x0.clone(), noise.clone(), &[timestep]);
        let v = schedule.velocity(x0.clone(), noise, &[timestep]);
        let alpha = schedule.alphas_cumprod()[timestep];
        let back = z * alpha.sqrt() - v * (1.0 - alpha).sqrt();
        for (a, b) in values(back).into_iter().zip(values(x0)) {
            prop_assert!((a - b).abs() < 1e-5);
        }
    }
}
