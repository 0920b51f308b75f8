//! The VAE learns to show what it is shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::checkpoint::{Published, fill, initial_values};
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::pixels::frames_to_tensor;
use skyreels_core::{Precision, Progress};
use skyreels_train::autoencoder::{Autoencoder, ReconstructionLoss};
use skyreels_train::autoencoder::{AutoencoderSettings, AutoencoderTask};
use skyreels_train::data::Dataset;
use skyreels_train::optimise::{Gradients, LearningRate, Patterns, Pieces, keys, trainable_only};
use skyreels_train::run::{RunSettings, Task, Trainer};
use skyreels_train::stage::{Begin, Latents, Stage};
use skyreels_vae::differentiate::Tape;
use skyreels_vae::{CausalVae, Tiling};

use crate::support::{random, vae, world, write_model};

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

#[test]
fn in_pieces_the_gradients_are_those_of_the_whole_graph() {
    in_pieces_like_the_whole("vae.*");
}

#[test]
fn in_pieces_a_half_that_is_frozen_gets_no_gradients_and_changes_none() {
    in_pieces_like_the_whole("vae.decoder.*");
    in_pieces_like_the_whole("vae.encoder.*");
}

fn in_pieces_like_the_whole(trained: &str) {
    let device = Device::flex().autodiff();
    let networks = Autoencoder { vae: random(CausalVae::new(&vae(), &device).unwrap(), 5, Precision::F32) };
    let patterns = Patterns { train: vec![trained.to_owned()], freeze: Vec::new() };
    let trained = keys(&networks, &patterns, "gradients").unwrap();
    let networks = trainable_only(networks, &trained);
    // Smooth: where an absolute value has its kink, rounding decides on the slope.
    let loss = ReconstructionLoss { l1: 0.0, l2: 1.0, edges: 0.0, kl: 0.1 };
    // Two batches of frames: what is kept between them has gradients too.
    let mut random = NoiseGenerator::new(7);
    let mut noise = |shape| Tensor::<5>::from_inner(random.normal(shape, &Device::flex()));
    let (frames, draw) = (noise([2, 3, 17, 16, 24]), noise([2, 8, 5, 2, 3]));

    let posterior = networks.vae.encode(frames.clone(), Tiling::Off, Progress::none()).unwrap();
    let sample = posterior.sample(draw.clone()).unwrap();
    let made = networks.vae.decode(sample, Tiling::Off, Progress::none()).unwrap();
    let whole_loss = loss.of(made, frames.clone(), &posterior);
    let whole = Gradients::collect(&networks, &whole_loss.backward());

    let pieces = Pieces::for_device(&device, DType::F32).unwrap();
    let tape: Arc<dyn Tape> = pieces.clone();
    let posterior = networks.vae.encode_on_tape(frames.clone(), &tape).unwrap();
    // A frozen encoder's latents are a constant: nothing in front of them is differentiated.
    let encoder_learns = trained.iter().any(|key| key.starts_with("vae.encoder."));
    assert_eq!(posterior.mean.is_tracked(), encoder_learns);
    let made = networks.vae.decode_on_tape(posterior.sample(draw).unwrap(), &tape).unwrap();
    let pieces_loss = loss.of(made, frames, &posterior);
    let ours = pieces.backward(&pieces_loss, &networks);

    let [a, b] = [whole_loss, pieces_loss].map(|loss| loss.into_scalar::<f32>());
    assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
    assert_eq!(ours.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    assert!(whole.keys().all(|key| trained.contains(key)));
    let mut worst = (0.0, String::new());
    for key in whole.keys() {
        let [ours, theirs] = [&ours, &whole].map(|gradients| gradients.get(key).unwrap());
        let size = theirs.clone().square().sum().sqrt().into_scalar::<f32>();
        let error = (ours - theirs).square().sum().sqrt().into_scalar::<f32>() / size.max(1e-4 * whole.norm() as f32);
        if error > worst.0 {
            worst = (error, key.to_string());
        }
    }
    println!("largest relative difference {:e} at {}", worst.0, worst.1);
    assert!(worst.0 < 1e-3, "{worst:?}");
    let mut difference = ours;
    difference.add(whole.clone().scaled(-1.0));
    assert!(difference.norm() < 2e-5 * whole.norm(), "{:e}", difference.norm() / whole.norm());
}

#[test]
fn whitened_latents_are_other_axes_of_the_same_pictures() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    let data = world(4, 1);
    let settings = AutoencoderSettings::default();
    let mut task = AutoencoderTask::new(&vae(), base.path(), settings, &data, None, 3, &Device::flex()).unwrap();
    // Where the first convolution sees no neighbours, it is not padded either: then pictures stay as they were to their rims.
    let lonely = fill(task.networks(base.path()).unwrap(), Precision::F32, |key, shape| {
        let mut values = initial_values(7, key, shape);
        if key == "vae.decoder.conv_in.conv.weight" {
            let middle = |index: usize| index % 9 == 4;
            values.iter_mut().enumerate().filter(|(index, _)| !middle(*index)).for_each(|(_, value)| *value = 0.0);
        }
        values
    });
    let begin = Begin { latents: Latents::Whiten(1.0), ..Begin::default() };
    let stage = Stage { begin, ..Stage::new("whitened", &["vae.*"], 1, 1, LearningRate::constant(1e-3)) };
    let keys = BTreeSet::from_iter(lonely.published_shapes().into_keys());
    let resumed = task.begin(lonely.clone(), &stage, &keys, false).unwrap();
    let whitened = task.begin(lonely.clone(), &stage, &keys, true).unwrap();

    let [before, again, after] = [lonely, resumed, whitened].map(|networks| networks.vae.valid());
    let (mut means, mut squares) = (vec![0.0; 8], vec![0.0; 8]);
    for index in 0..data.len() {
        let clip = frames_to_tensor(&data.example(index).unwrap().video, &Device::flex());
        let through = |vae: &CausalVae| {
            let posterior = vae.encode(clip.clone(), Tiling::Off, Progress::none()).unwrap();
            (posterior.mean.clone(), vae.decode(posterior.mode(), Tiling::Off, Progress::none()).unwrap())
        };
        let ((_, old), (_, same), (latents, new)) = (through(&before), through(&again), through(&after));
        let largest = |tensor: Tensor<5>| tensor.abs().max().into_scalar::<f32>();
        assert_eq!(largest(same - old.clone()), 0.0, "a run that goes on whitened them before");
        let (difference, size) = (largest(new - old.clone()), largest(old));
        assert!(difference < 1e-3 * size, "clip {index}: {difference} of {size}");
        for channel in 0..8 {
            let own = latents.clone().narrow(1, channel, 1);
            means[channel] += own.clone().mean().into_scalar::<f32>() / data.len() as f32;
            squares[channel] += own.square().mean().into_scalar::<f32>() / data.len() as f32;
        }
    }
    assert!(means.iter().all(|mean| mean.abs() < 1e-2), "{means:?}");
    assert!(squares.iter().all(|square| (square - 1.0).abs() < 1e-2), "{squares:?}");
}
