//! Training shows the denoiser what inference shows it.

use burn::module::Module;
use burn::tensor::Tensor;
use skyreels::core::{Device, Limits, Precision, Progress};
use skyreels::train::data::{Dataset, RenderedWorld};
use skyreels::train::diffusion::{Encoder, GuideClip, Loader};
use skyreels::vae::Tiling;
use skyreels::{ModelDir, Preset, control_latents, identity_tokens, image_latents};

/// Numbers of a tensor.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

#[test]
fn the_three_conditions_are_the_same_in_training_and_at_inference() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    Preset::Tiny.write(directory.path(), 0, &device, Progress::none()).unwrap();
    let model = ModelDir::open(directory.path(), &Limits::default()).unwrap();
    let parts = model.training_parts(Precision::F32, &device, Progress::none()).unwrap();
    let networks = Loader::of(&parts, &device).networks(directory.path()).unwrap();
    let guider = networks.valid().pose_guider;
    let encoder =
        Encoder { vae: &parts.vae, siglip: &parts.siglip, guider: Some(&guider), face_aware: None, tiling: Tiling::On };
    let example = RenderedWorld::new([9, 96, 160], 1, 1).example(0).unwrap();
    let encoded = encoder.encode(&example, &device).unwrap();

    let at_inference = model.load_guider(Precision::F32, &device, Progress::none()).unwrap();
    let control = control_latents(&at_inference, &example.guide, Tiling::Off, &device, Progress::none()).unwrap();
    let GuideClip::Latents(ours) = encoded.guide else { panic!("the guider is frozen") };
    assert_eq!(numbers(ours), numbers(control));

    let [mean, deviation] = encoded.image;
    let [_, frames, ..] = encoded.video[0].dims();
    let noise = Tensor::ones(mean.clone().swap_dims(1, 2).dims(), &device);
    let vae = model.load_vae(Precision::F32, &device, Progress::none()).unwrap();
    let image = image_latents(&vae, &example.portrait, frames, noise, Tiling::On, Progress::none()).unwrap();
    let sample = numbers(mean + deviation);
    let close = sample.iter().zip(numbers(image)).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close, "the first latent frame is the portrait's, sampled and scaled alike");

    let face = identity_tokens(&parts.siglip, &example.face, &device, Progress::none()).unwrap();
    assert_eq!(numbers(encoded.identity), numbers(face));
}
