//! A small guider learns what the VAE says of guide clips.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use skyreels_core::Precision;
use skyreels_core::checkpoint::{SHARD_BYTES, save};
use skyreels_train::guider::{GuiderSettings, GuiderTask};
use skyreels_train::optimise::{LearningRate, MuonSettings};
use skyreels_train::run::{RunSettings, Task, Trainer};
use skyreels_train::stage::Stage;
use skyreels_vae::{LandmarkGuider, VaeConfig};

use crate::support::{random, vae, world, write_model};

/// A model whose guider is smaller than its VAE.
fn write_with_guider(directory: &Path, config: &VaeConfig) {
    write_model(directory);
    let folder = directory.join("pose_guider");
    fs::write(folder.join("config.json"), serde_json::to_vec(config).unwrap()).unwrap();
    let guider = random(LandmarkGuider::new(config, &Device::flex()).unwrap(), 9, Precision::F32);
    save(&guider, &folder, "diffusion_pytorch_model", SHARD_BYTES).unwrap();
}

fn small() -> VaeConfig {
    VaeConfig { block_out_channels: vec![4, 4, 8, 8], scaling_factor: 1.3, ..vae() }
}

#[test]
fn a_smaller_guider_learns_to_say_of_new_clips_what_the_vae_says() {
    let base = tempfile::tempdir().unwrap();
    write_with_guider(base.path(), &small());
    let (data, held_out) = (world(6, 1), world(3, 1).held_out());
    let task =
        GuiderTask::new(&small(), base.path(), GuiderSettings::default(), &data, Some(&held_out), 3, &Device::flex())
            .unwrap();
    let networks = task.networks(base.path()).unwrap();
    let muon = MuonSettings { keys: vec!["pose_guider.encoder.*conv*.weight".into()], ..MuonSettings::default() };
    let stage = Stage {
        clip_norm: Some(1.0),
        muon: Some(muon),
        ..Stage::new("guider", &["pose_guider.encoder.*"], 60, 2, LearningRate::constant(5e-3))
    };
    let run = tempfile::tempdir().unwrap();
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(3, vec![stage]) };
    let mut trainer = Trainer::start(task, networks, settings, run.path()).unwrap();
    let loss = |trainer: &Trainer<GuiderTask>| trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    let before = loss(&trainer);
    for _ in 0..60 {
        trainer.step().unwrap();
    }
    let after = loss(&trainer);
    println!("held-out loss {before} -> {after}");
    // Silence is 1. What a VAE of random weights says hangs on details that so small a guider does not see in six clips.
    assert!(before > 1.0, "a random guider says something else: {before}");
    assert!(after < 0.75, "{before} -> {after}");

    let saved = trainer.save().unwrap();
    let bytes = |folder: &Path, name: &str| fs::read(folder.join(name)).unwrap();
    let weights = "pose_guider/diffusion_pytorch_model.safetensors";
    assert_ne!(bytes(&saved, weights), bytes(base.path(), weights));
    for same in ["pose_guider/config.json", "vae/diffusion_pytorch_model.safetensors", "transformer/config.json"] {
        assert_eq!(bytes(&saved, same), bytes(base.path(), same), "{same}");
    }
}

#[test]
fn the_vae_s_own_encoder_has_nothing_to_learn() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    for file in ["config.json", "diffusion_pytorch_model.safetensors"] {
        fs::copy(base.path().join("vae").join(file), base.path().join("pose_guider").join(file)).unwrap();
    }
    let (data, settings) = (world(2, 1), GuiderSettings::default());
    let task = GuiderTask::new(&vae(), base.path(), settings, &data, Some(&data), 3, &Device::flex()).unwrap();
    let networks = task.networks(base.path()).unwrap();
    let (loss, _) = task.gradients(&networks, 0..2, 1.0).unwrap();
    let held_out = task.held_out_loss(&networks).unwrap().unwrap();
    assert!(loss < 1e-9 && held_out < 1e-9, "{loss} {held_out}");
}

#[test]
fn a_guider_whose_latents_have_another_shape_is_refused() {
    let base = tempfile::tempdir().unwrap();
    let data = world(1, 1);
    let fewer = VaeConfig { latent_channels: 4, ..small() };
    let coarser = VaeConfig { block_out_channels: vec![4, 4, 8], ..small() };
    for config in [fewer, coarser] {
        write_with_guider(base.path(), &config);
        let refused = GuiderTask::new(&config, base.path(), GuiderSettings::default(), &data, None, 3, &Device::flex());
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("pose_guider") && text.contains("vae"), "{text}");
    }
}
