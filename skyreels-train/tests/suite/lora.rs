//! Matrices that learn through narrow factors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::checkpoint::{LORA_FILE, Lora, Weights};
use skyreels_core::diffusion::NoiseGenerator;
use skyreels_core::{Event, Limits, Precision, Progress};
use skyreels_train::diffusion::{Denoising, DiffusionTask, Loader, Loss, Recompute, loss_and_gradients};
use skyreels_train::optimise::{Gradients, LearningRate, LoraSettings, LowRank, Patterns, keys, trainable_only};
use skyreels_train::run::{History, Note, RunSettings, Task, Trainer, latest};
use skyreels_train::stage::Stage;

use crate::support::{batch, bytes, networks, parts, schedule, settings, task, world, write_model};

fn lora() -> LoraSettings {
    LoraSettings { rank: 3, alpha: Some(4.5), ..LoraSettings::default() }
}

fn matrices(model: &Denoising, settings: &LoraSettings) -> BTreeSet<String> {
    keys(model, &Patterns { train: settings.keys.clone(), freeze: vec![] }, "test").unwrap()
}

/// Factors of which none is zero.
fn filled(update: &LowRank, seed: u64) -> BTreeMap<String, Tensor<1>> {
    let mut random = NoiseGenerator::new(seed);
    let mut draw = |factor: &Tensor<1>| {
        let values = random.normal_values(factor.dims()[0]).into_iter().map(|value| 0.2 * value).collect();
        Tensor::from_data(TensorData::new::<f32, _>(values, factor.dims()), (&factor.device(), DType::F32))
    };
    update.factors().iter().map(|(key, factor)| (key.clone(), draw(factor))).collect()
}

#[test]
fn updates_begin_as_nothing_to_the_bit_and_can_be_taken_away_again() {
    for precision in [Precision::F32, Precision::BF16] {
        let model = networks(&Device::flex().autodiff(), precision);
        let keys = matrices(&model, &lora());
        assert_eq!(keys.len(), 8, "queries, keys, values and outputs of two blocks");
        let update = LowRank::new(&model, &keys, &lora(), 1).unwrap();
        let before = bytes(&model);
        let after = update.apply(model.clone());
        assert_eq!(bytes(&after), before, "{precision}");
        let other = update.clone().with_factors(&filled(&update, 2)).unwrap();
        let changed = other.apply(after);
        for (key, value) in bytes(&changed) {
            assert_eq!(value != before[&key], keys.contains(&key), "{key}");
        }
        assert_eq!(bytes(&other.without(changed)), before, "{precision}");
    }
    // A is drawn as widely as PEFT draws it.
    let model = networks(&Device::flex(), Precision::F32);
    let update = LowRank::new(&model, &matrices(&model, &lora()), &lora(), 1).unwrap();
    let drawn: Vec<f32> = update
        .factors()
        .iter()
        .filter(|(key, _)| key.contains("lora_A"))
        .flat_map(|(_, a)| a.to_data().iter::<f32>().collect::<Vec<f32>>())
        .collect();
    let variance = drawn.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / drawn.len() as f64;
    assert!((variance * 3.0 * 32.0 - 1.0).abs() < 0.2, "{variance}");
}

#[test]
fn gradients_of_the_factors_are_those_of_finite_differences() {
    let (batch, schedule) = (batch(), schedule());
    let model = networks(&Device::flex().autodiff(), Precision::F32);
    let keys = matrices(&model, &lora());
    let model = trainable_only(model, &keys);
    let update = LowRank::new(&model, &keys, &lora(), 1).unwrap();
    let update = update.clone().with_factors(&filled(&update, 3)).unwrap();
    let run = |update: &LowRank| {
        let model = update.apply(model.clone());
        loss_and_gradients(&model, &batch, &Loss::from(&schedule), Recompute::Nothing).unwrap()
    };
    let (_, mut gradients) = run(&update);
    update.project(&mut gradients);
    assert_eq!(gradients.keys().collect::<Vec<_>>(), update.factors().keys().collect::<Vec<_>>());
    for part in ["lora_A", "lora_B"] {
        for block in ["blocks.0", "blocks.1"] {
            let keys: Vec<&String> =
                update.factors().keys().filter(|key| key.contains(part) && key.contains(block)).collect();
            assert_eq!(keys.len(), 4);
            // Along the gradient, where the loss changes most: its slope is the gradient's norm.
            let own = |key: &str| gradients.get(key).unwrap();
            let norm = keys.iter().map(|key| own(key).square().sum().into_scalar::<f32>()).sum::<f32>().sqrt();
            let moved = |distance: f32| {
                let mut factors = update.factors().clone();
                for key in &keys {
                    let factor = factors[*key].clone() + own(key).mul_scalar(distance / norm);
                    factors.insert((*key).clone(), factor);
                }
                run(&update.clone().with_factors(&factors).unwrap()).0
            };
            const STEP: f32 = 2e-2;
            let slope = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            println!("{part} of {block}: slope {slope:.6}, norm {norm:.6}");
            assert!((slope - f64::from(norm)).abs() < 2e-3 * slope.abs(), "{part} {block}: {slope} {norm}");
        }
    }
}

fn stage(steps: u64) -> Stage {
    Stage {
        parameters: Patterns::default(),
        lora: Some(LoraSettings { rank: 4, ..LoraSettings::default() }),
        clip_norm: Some(1.0),
        ..Stage::new("lora", &[], steps, 2, LearningRate::constant(2e-2))
    }
}

#[test]
fn a_model_learns_by_lora_alone_while_its_weights_stay_as_they_are() {
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    let (data, held_out) = (world(8, 1), world(4, 1).held_out());
    let (task, networks) = task(base.path(), &data, &held_out);
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(7, vec![stage(60)]) };
    let mut trainer = Trainer::start(task, networks, settings, run.path()).unwrap();
    let loss = |trainer: &Trainer<DiffusionTask>| trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    let before = loss(&trainer);
    trainer.run(Progress::none(), |_: Note| Ok(())).unwrap();
    let after = loss(&trainer);
    println!("held-out loss {before:.4} -> {after:.4}");
    assert!(after < 0.85 * before, "{before} -> {after}");

    let newest = latest(run.path()).unwrap().unwrap();
    for name in ["transformer", "pose_guider", "vae"] {
        let weights = |place: &Path| fs::read(place.join(name).join("diffusion_pytorch_model.safetensors")).unwrap();
        assert!(weights(base.path()) == weights(&newest), "{name}");
    }
    let file = Weights::open(newest.join(LORA_FILE), &Limits::default()).unwrap();
    let shape = |key: &str| file.raw(key).unwrap().0.to_vec();
    assert_eq!(file.len(), 16);
    assert_eq!(shape("transformer.transformer_blocks.0.attn1.to_q.lora_A.weight"), [4, 32]);
    assert_eq!(shape("transformer.transformer_blocks.1.attn1.to_out.0.lora_B.weight"), [32, 4]);
}

/// A stage before and one behind, so that updates begin on trained weights and are trained on.
fn around(average: Option<f64>) -> Vec<Stage> {
    let full = |name: &str| Stage::new(name, &["transformer.patch_embed.proj.*"], 2, 2, LearningRate::constant(1e-3));
    let both = Stage {
        parameters: Patterns { train: vec!["transformer.proj_out.*".into()], freeze: vec![] },
        lora: Some(lora()),
        average,
        accumulate: 2,
        ..stage(4)
    };
    vec![full("before"), both, full("behind")]
}

fn go_on(base: &Path, run: &Path, stages: Vec<Stage>, precision: Precision, until: u64) -> (History, Denoising) {
    let (data, held_out) = (world(3, 1), world(1, 1).held_out());
    let device = Device::flex();
    let task = DiffusionTask::new(parts(base, precision), settings(), &data, Some(&held_out), 7, &device).unwrap();
    let loader = task.loader();
    let settings = RunSettings { validate_every: 0, checkpoint_every: 1, ..RunSettings::new(7, stages) };
    let mut trainer = Trainer::resume(task, || loader.networks(base), settings, run).unwrap();
    let stop = move |event: Event| match event.done >= until {
        true => std::ops::ControlFlow::Break(()),
        false => std::ops::ControlFlow::Continue(()),
    };
    if let Err(error) = trainer.run(Progress::new(&stop), |_: Note| Ok(())) {
        assert!(error.is_cancelled(), "{error}");
    }
    (trainer.history().clone(), trainer.averaged())
}

#[test]
fn a_run_that_was_stopped_between_or_within_lora_stages_goes_on_to_the_bit() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    for (precision, average) in [(Precision::F32, Some(0.9)), (Precision::BF16, None)] {
        let (whole, pieces) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (history, networks) = go_on(base.path(), whole.path(), around(average), precision, u64::MAX);
        assert_eq!(history.records.len(), 8);
        for until in [2, 3, 5, 6, 7] {
            go_on(base.path(), pieces.path(), around(average), precision, until);
        }
        let (resumed, ours) = go_on(base.path(), pieces.path(), around(average), precision, u64::MAX);
        assert_eq!(resumed.losses(), history.losses(), "{precision}");
        assert!(bytes(&ours) == bytes(&networks), "{precision}");
        // The updates have become part of the weights, and no file of theirs is left over.
        assert!(!latest(whole.path()).unwrap().unwrap().join(LORA_FILE).exists());
    }
}

#[test]
fn a_file_merged_into_the_frozen_weights_is_what_was_trained() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    for (precision, average) in [(Precision::F32, Some(0.5)), (Precision::BF16, None)] {
        let run = tempfile::tempdir().unwrap();
        let stages = || around(average)[..2].to_vec();
        let (_, networks) = go_on(base.path(), run.path(), stages(), precision, u64::MAX);
        let newest = latest(run.path()).unwrap().unwrap();
        let frozen = Loader::of(&parts(base.path(), precision), &Device::flex()).networks(&newest).unwrap().valid();
        let lora = Lora::open(&newest, 1.0, &Limits::default()).unwrap();
        assert_eq!(lora.keys().count(), 8);
        let merged = Lora::merge(&[lora], frozen.transformer.clone(), Progress::none()).unwrap();
        let trained = bytes(&networks.transformer);
        assert!(bytes(&merged) == trained && bytes(&frozen.transformer) != trained, "{precision}");
        // Factors are not forgotten when a configuration does.
        let part = tempfile::tempdir().unwrap();
        go_on(base.path(), part.path(), stages(), precision, 4);
        let forgotten = vec![stages()[0].clone(), Stage { lora: None, ..stages()[1].clone() }];
        let data = world(3, 1);
        let task =
            DiffusionTask::new(parts(base.path(), precision), settings(), &data, None, 7, &Device::flex()).unwrap();
        let resumed = Trainer::resume(task, || unreachable!(), RunSettings::new(7, forgotten), part.path());
        assert!(resumed.unwrap_err().to_string().contains("no `lora`"), "{precision}");
        // A run that is over is found as it ended.
        let (_, again) = go_on(base.path(), run.path(), stages(), precision, u64::MAX);
        assert!(bytes(&again.transformer) == trained, "{precision}");
    }
}

#[test]
fn settings_that_make_no_update_are_refused_by_key() {
    let model = networks(&Device::flex(), Precision::F32);
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    let (data, held_out) = (world(1, 1), world(1, 1).held_out());
    let says = |stage: Stage, reason: &str| {
        let (task, networks) = task(base.path(), &data, &held_out);
        let error =
            Trainer::start(task, networks, RunSettings::new(7, vec![stage]), run.path()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    let with = |keys: &[&str], train: &[&str]| {
        let strings = |patterns: &[&str]| patterns.iter().map(|pattern| pattern.to_string()).collect::<Vec<_>>();
        let lora = LoraSettings { keys: strings(keys), ..LoraSettings::default() };
        Stage { lora: Some(lora), parameters: Patterns { train: strings(train), freeze: vec![] }, ..stage(1) }
    };
    says(with(&["transformer.*.to_z.weight"], &[]), "transformer.*.to_z.weight");
    says(with(&["transformer.*.to_q.*"], &[]), "to_q.bias");
    says(with(&["transformer.patch_embed.proj.weight"], &[]), "patch_embed.proj.weight");
    says(with(&["transformer.*.to_q.weight"], &["transformer.*"]), "itself and by LoRA");
    let lora = |rank, alpha| Some(LoraSettings { rank, alpha, ..LoraSettings::default() });
    says(Stage { lora: lora(0, None), ..stage(1) }, "rank");
    says(Stage { lora: lora(4, Some(f64::NAN)), ..stage(1) }, "alpha");
    says(Stage { lora: None, ..stage(1) }, "trains no parameter");
    let update = LowRank::new(&model, &matrices(&model, &self::lora()), &self::lora(), 1).unwrap();
    assert!(update.with_factors(&BTreeMap::new()).unwrap_err().to_string().contains("lora_A"));
    // Gradients of other parameters are left alone.
    let mut none = Gradients::default();
    LowRank::new(&model, &BTreeSet::new(), &self::lora(), 1).unwrap().project(&mut none);
    assert_eq!(none.keys().count(), 0);
}
