//! What the VAE promises beside the original's numbers.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use skyreels_core::checkpoint::{SHARD_BYTES, save};
use skyreels_core::{Event, Limits, Precision, Progress};
use skyreels_vae::{CausalVae, Error, LandmarkGuider, Tiling, Trace, VaeConfig, decode_bytes};

use crate::common::{noise, small_config, vae};

fn none() -> Progress<'static> {
    Progress::none()
}

fn relative_l2(ours: Tensor<5>, truth: Tensor<5>) -> f32 {
    let difference: f32 = (ours - truth.clone()).square().sum().into_scalar();
    let scale: f32 = truth.square().sum().into_scalar();
    (difference / scale).sqrt()
}

#[test]
fn streamed_frames_joined_are_the_decoded_clip() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    let latents = noise([1, 4, 5, 2, 3], 1, &device);
    let parts: Vec<Tensor<5>> = vae.decode_stream(latents.clone(), none()).unwrap().map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(|part| part.dims()[2]).collect::<Vec<_>>(), [9, 8]);
    let whole = vae.decode(latents, Tiling::Off, none()).unwrap();
    assert_eq!(Tensor::cat(parts, 2).into_data(), whole.into_data());
}

#[test]
fn half_precision_stays_within_two_percent() {
    let device = Device::flex();
    let config = small_config();
    let full = vae(&config, Precision::F32, &device);
    let (video, latents) = (noise([1, 3, 9, 24, 32], 2, &device), noise([1, 4, 3, 3, 4], 3, &device));
    let mean = full.encode(video.clone(), Tiling::Off, none()).unwrap().mean;
    let frames = full.decode(latents.clone(), Tiling::Off, none()).unwrap();
    for precision in [Precision::BF16, Precision::F16] {
        let half = vae(&config, precision, &device);
        let encoded = half.encode(video.clone(), Tiling::Off, none()).unwrap().mean;
        let decoded = half.decode(latents.clone(), Tiling::Off, none()).unwrap();
        let errors = [relative_l2(encoded, mean.clone()), relative_l2(decoded, frames.clone())];
        println!("{precision}: {errors:?}");
        assert!(errors.iter().all(|error| *error < 2e-2), "{precision}: {errors:?}");
    }
}

#[test]
fn the_guider_reads_a_whole_vae_and_has_its_encoder() {
    let device = Device::flex();
    let config = small_config();
    let vae = vae(&config, Precision::F32, &device);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), serde_json::to_vec(&config).unwrap()).unwrap();
    save(&vae, folder.path(), "diffusion_pytorch_model", SHARD_BYTES).unwrap();

    let limits = Limits::default();
    let again = CausalVae::load(folder.path(), &limits, Precision::F32, &device, none()).unwrap();
    let guider = LandmarkGuider::load(folder.path(), &limits, Precision::F32, &device, none()).unwrap();
    let clip = noise([1, 3, 9, 16, 24], 4, &device);
    let mean = vae.encode(clip.clone(), Tiling::Off, none()).unwrap().mode();
    let latents = guider.control_latents(clip.clone(), Tiling::Off, none()).unwrap();
    assert_eq!(latents.clone().into_data(), vae.scale(mean.clone()).into_data());
    assert!(relative_l2(vae.unscale(latents), mean.clone()) < 1e-6);
    assert_eq!(again.encode(clip, Tiling::Off, none()).unwrap().mode().into_data(), mean.into_data());
}

#[test]
fn a_checkpoint_with_a_missing_key_is_refused_with_its_name() {
    let device = Device::flex();
    let config = small_config();
    let folder = tempfile::tempdir().unwrap();
    save(&vae(&config, Precision::F32, &device), folder.path(), "diffusion_pytorch_model", SHARD_BYTES).unwrap();
    let other = VaeConfig { layers_per_block: 2, ..config };
    std::fs::write(folder.path().join("config.json"), serde_json::to_vec(&other).unwrap()).unwrap();
    let error = CausalVae::load(folder.path(), &Limits::default(), Precision::F32, &device, none()).unwrap_err();
    assert!(error.to_string().contains("encoder.down_blocks.0.resnets.1.conv1.conv.weight"), "{error}");
}

#[test]
fn tiles_are_used_only_where_they_are_asked_for() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    let latents = noise([1, 4, 1, 12, 10], 5, &device);
    let decode = |tiling| vae.decode(latents.clone(), tiling, none()).unwrap().into_data();
    assert_eq!(decode(Tiling::Auto { bytes: u64::MAX }), decode(Tiling::Off));
    assert_eq!(decode(Tiling::Auto { bytes: 0 }), decode(Tiling::On));
    assert_ne!(decode(Tiling::On), decode(Tiling::Off));
    let small = noise([1, 4, 1, 6, 5], 5, &device);
    let decode = |tiling| vae.decode(small.clone(), tiling, none()).unwrap().into_data();
    assert_eq!(decode(Tiling::On), decode(Tiling::Off));
}

#[test]
fn the_batch_and_the_precision_decide_about_tiles_too() {
    let device = Device::flex();
    let config = small_config();
    let full = vae(&config, Precision::F32, &device);
    let bytes = decode_bytes(&config, 1, 12, 10, Precision::F32);
    let decode = |vae: &CausalVae, batch: usize, tiling| {
        vae.decode(noise([batch, 4, 1, 12, 10], 5, &device), tiling, none()).unwrap().into_data()
    };
    assert_eq!(decode(&full, 1, Tiling::Auto { bytes }), decode(&full, 1, Tiling::Off));
    assert_eq!(decode(&full, 2, Tiling::Auto { bytes }), decode(&full, 2, Tiling::On));
    let half = vae(&config, Precision::BF16, &device);
    assert_eq!(decode(&half, 2, Tiling::Auto { bytes }), decode(&half, 2, Tiling::Off));
    assert_eq!(decode(&half, 2, Tiling::Auto { bytes: bytes - 1 }), decode(&half, 2, Tiling::On));
}

#[test]
fn a_frame_changes_all_of_its_batch_and_nothing_before_it() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    let clip = noise([1, 3, 25, 8, 8], 11, &device);
    let mean = |clip: Tensor<5>| vae.encode(clip, Tiling::Off, none()).unwrap().mean;
    let before = mean(clip.clone());
    // Batches of 9, 8 and 8 frames are latents 0 to 2, 3 to 4 and 5 to 6.
    for (frame, first) in [(8, 0), (9, 3), (16, 3), (24, 5)] {
        let changed = clip
            .clone()
            .slice_assign([0..1, 0..3, frame..frame + 1, 0..8, 0..8], Tensor::ones([1, 3, 1, 8, 8], &device));
        let after = mean(changed);
        for latent in 0..7 {
            let difference = (after.clone() - before.clone()).narrow(2, latent, 1).abs().max().into_scalar::<f32>();
            assert_eq!(difference > 0.0, latent >= first, "frame {frame}, latent {latent}: {difference:e}");
        }
    }
}

#[test]
fn a_cancelled_operation_stops_at_the_next_batch() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    let stop = |event: Event| if event.done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let progress = Progress::new(&stop);
    let latents = noise([1, 4, 6, 2, 2], 6, &device);
    let error = vae.decode(latents.clone(), Tiling::Off, progress).unwrap_err();
    assert!(matches!(error, Error::Core(skyreels_core::Error::Cancelled { .. })), "{error}");
    let parts: Vec<_> = vae.decode_stream(latents, progress).unwrap().collect();
    assert_eq!(parts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    let error = vae.encode(noise([1, 3, 17, 8, 8], 7, &device), Tiling::Off, progress).unwrap_err();
    assert!(error.to_string().contains("vae encode"), "{error}");
}

#[test]
fn tensors_that_do_not_fit_are_refused_with_their_shape() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    for shape in [[1, 4, 1, 16, 16], [1, 3, 1, 7, 16], [0, 3, 1, 16, 16], [1, 3, 0, 16, 16]] {
        let error = vae.encode(Tensor::zeros(shape, &device), Tiling::Off, none()).unwrap_err().to_string();
        assert!(error.contains(&format!("{shape:?}")), "{error}");
    }
    for shape in [[1, 3, 1, 2, 2], [1, 4, 1, 0, 2]] {
        assert!(vae.decode(Tensor::zeros(shape, &device), Tiling::Off, none()).is_err());
        assert!(vae.decode_stream(Tensor::zeros(shape, &device), none()).is_err());
    }
}

#[test]
fn the_trace_names_modules_by_their_keys() {
    let device = Device::flex();
    let vae = vae(&small_config(), Precision::F32, &device);
    let mut trace = Trace::everything();
    vae.decode_traced(noise([1, 4, 4, 1, 1], 8, &device), Tiling::Off, none(), &mut trace).unwrap();
    let tensors = trace.into_tensors();
    assert_eq!(tensors["decoder.up_blocks.1.upsamplers.0.batch1"].dims(), [1, 16, 8, 4, 4]);
    assert!(tensors.contains_key("decoder.mid_block.resnets.1.norm2.batch0"));
    assert!(tensors.contains_key("decoder.norm_out.batch1"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sizes_are_what_the_configuration_says(frames in 1usize..20, height in 8usize..20, width in 8usize..20) {
        let device = Device::flex();
        let vae = vae(&small_config(), Precision::F32, &device);
        let config = vae.config();
        let mean = vae.encode(noise([1, 3, frames, height, width], 9, &device), Tiling::Off, none()).unwrap().mean;
        let latent_frames = config.latent_frames(frames);
        prop_assert_eq!(mean.dims(), [1, 4, latent_frames, height / 8, width / 8]);
        let video = vae.decode(mean, Tiling::Off, none()).unwrap();
        prop_assert_eq!(video.dims(), [1, 3, config.frames(latent_frames), height / 8 * 8, width / 8 * 8]);
    }
}
