//! The VAE learns to show what it is shown.

mod support;

use burn::tensor::Device;
use skyreels_train::autoencoder::{AutoencoderSettings, AutoencoderTask};
use skyreels_train::optimise::LearningRate;
use skyreels_train::run::{RunSettings, Task, Trainer};
use skyreels_train::stage::Stage;
use support::{vae, world, write_model};

#[test]
fn a_tiny_vae_reconstructs_people_it_has_never_seen_clearly_better_than_at_first() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    let (data, held_out) = (world(16, 1), world(4, 1).held_out());
    let settings = AutoencoderSettings { crop: Some([9, 32, 32]), held_out: 2, ..AutoencoderSettings::default() };
    let task = AutoencoderTask::new(&vae(), base.path(), settings, &data, Some(&held_out), 3, &Device::flex()).unwrap();
    let networks = task.networks(base.path()).unwrap();
    let stage = Stage { clip_norm: Some(1.0), ..Stage::new("vae", &["vae.*"], 60, 2, LearningRate::constant(3e-3)) };
    let run = tempfile::tempdir().unwrap();
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(3, vec![stage]) };
    let mut trainer = Trainer::start(task, networks, settings, run.path()).unwrap();
    let before = trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    for _ in 0..60 {
        trainer.step().unwrap();
    }
    let after = trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    let seconds: f64 = trainer.history().records.iter().map(|record| record.seconds).sum();
    println!("held-out loss {before} -> {after} in {seconds} s");
    assert!(after < 0.5 * before, "{before} -> {after}");

    let saved = trainer.save().unwrap();
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(saved.join("pose_guider/config.json")).unwrap()).unwrap();
    let factor = config["scaling_factor"].as_f64().unwrap();
    assert!(factor > 0.05 && factor < 50.0 && factor != 0.7, "{factor}");
    assert!(saved.join("scheduler/scheduler_config.json").is_file());
}
