//! The loop learns, and goes on exactly where it stopped.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use skyreels_core::Precision;
use skyreels_core::checkpoint::Weights;
use skyreels_core::{Device, Event, Limits, Progress};
use skyreels_train::data::RenderedWorld;
use skyreels_train::diffusion::{DiffusionSettings, DiffusionTask, Dropout};
use skyreels_train::loss::Reading;
use skyreels_train::optimise::{AdamWSettings, LearningRate, MuonSettings};
use skyreels_train::run::{History, Note, RunSettings, Task, Trainer, latest};
use skyreels_train::stage::{Begin, LossSettings, PatchConvolution, Projector, Stage};

use crate::support::{parts, settings, task, world, write_model};

#[test]
fn a_tiny_model_trained_from_nothing_is_clearly_better_on_people_it_has_never_seen() {
    const STEPS: u64 = 120;
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    let (data, held_out) = (world(24, 2), world(6, 1).held_out());
    let (task, networks) = task(base.path(), &data, &held_out);
    let rate = LearningRate { warmup: 5, ..LearningRate::constant(5e-3) };
    let stage = Stage { clip_norm: Some(1.0), ..Stage::new("joint", &["transformer.*"], STEPS, 4, rate) };
    let run = tempfile::tempdir().unwrap();
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(7, vec![stage]) };
    let mut trainer = Trainer::start(task, networks, settings, run.path()).unwrap();
    let loss = |trainer: &Trainer<DiffusionTask>| trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    let before = loss(&trainer);
    for _ in 0..STEPS {
        trainer.step().unwrap();
    }
    let after = loss(&trainer);
    let seconds: f64 = trainer.history().records.iter().map(|record| record.seconds).sum();
    println!("held-out loss {before:.4} -> {after:.4} in {seconds:.1} s");
    assert!(after < 0.6 * before, "{before} -> {after}");
}

/// The three stages in miniature: every kind of state is in them.
fn three_stages() -> Vec<Stage> {
    let stage = |name: &str, train: &[&str], steps| Stage {
        accumulate: 2,
        clip_norm: Some(0.5),
        average: Some(0.9),
        dropout: Dropout { image: 0.2, guide: 0.2, identity: 0.2 },
        loss: LossSettings { face_aware: Some(Reading::Rescaled), ..LossSettings::default() },
        ..Stage::new(name, train, steps, 2, LearningRate { warmup: 2, ..LearningRate::constant(1e-3) })
    };
    let begin =
        Begin { patch_convolution: PatchConvolution::ZeroControl, projector: Projector::ZeroLast, ..Begin::default() };
    vec![
        Stage { begin, ..stage("motion", &["transformer.patch_embed.proj.*"], 3) },
        stage("identity", &["transformer.patch_embed.pose_proj.*"], 2),
        Stage { muon: Some(MuonSettings::default()), ..stage("joint", &["pose_guider.encoder.*", "transformer.*"], 3) },
    ]
}

fn run_settings(checkpoint_every: u64) -> RunSettings {
    RunSettings { validate_every: 0, checkpoint_every, ..RunSettings::new(7, three_stages()) }
}

/// Goes on (or begins) and runs to the end, or until so many steps are done.
fn go_on(base: &Path, run: &Path, settings: RunSettings, precision: Precision, until: u64) -> History {
    let (data, held_out) = data();
    let device = Device::flex();
    let task =
        DiffusionTask::new(parts(base, precision), self::settings(), &data, Some(&held_out), 7, &device).unwrap();
    let load = {
        let parts = parts(base, precision);
        DiffusionTask::new(parts, self::settings(), &data, None, 7, &device).unwrap()
    };
    let mut trainer = Trainer::resume(task, || load.networks(base), settings, run).unwrap();
    let stop = move |event: Event| match event.done >= until {
        true => std::ops::ControlFlow::Break(()),
        false => std::ops::ControlFlow::Continue(()),
    };
    match trainer.run(Progress::new(&stop), |_: Note| Ok(())) {
        Ok(()) => assert!(trainer.is_over()),
        Err(error) => assert!(error.is_cancelled(), "{error}"),
    }
    trainer.history().clone()
}

fn data() -> (RenderedWorld, RenderedWorld) {
    (world(3, 1), world(1, 1).held_out())
}

#[test]
fn a_run_that_was_stopped_anywhere_has_the_losses_of_one_that_was_not() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    for precision in [Precision::F32, Precision::BF16] {
        let whole = tempfile::tempdir().unwrap();
        let losses = go_on(base.path(), whole.path(), run_settings(100), precision, u64::MAX).losses();
        assert_eq!(losses.len(), 8);
        assert!(losses.iter().all(|loss| *loss > 0.0));
        let parts = tempfile::tempdir().unwrap();
        // In the middle of a stage, at its end, and in each of the others.
        for until in [2, 3, 4, 7] {
            go_on(base.path(), parts.path(), run_settings(100), precision, until);
        }
        let resumed = go_on(base.path(), parts.path(), run_settings(100), precision, u64::MAX);
        assert_eq!(resumed.losses(), losses, "{precision}");
        // And so are the weights, to the byte.
        for name in ["transformer", "pose_guider"] {
            let open =
                |run: &Path| Weights::open(latest(run).unwrap().unwrap().join(name), &Limits::default()).unwrap();
            let (ours, theirs) = (open(parts.path()), open(whole.path()));
            let keys: Vec<String> = ours.shapes().map(|(key, _)| key.to_string()).collect();
            assert!(!keys.is_empty());
            for key in keys {
                assert_eq!(ours.raw(&key), theirs.raw(&key), "{name} {key}");
            }
        }
    }
}

#[test]
fn a_checkpoint_is_a_whole_model_and_old_ones_go() {
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    go_on(base.path(), run.path(), run_settings(1), Precision::F32, u64::MAX);
    let mut names: Vec<String> =
        std::fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["step_00000007", "step_00000008"], "the newest two, and nothing half-written");
    let newest = latest(run.path()).unwrap().unwrap();
    for name in ["transformer", "pose_guider", "vae", "siglip-so400m-patch14-384", "scheduler", "training_state"] {
        assert!(newest.join(name).is_dir(), "{name}");
    }
    // What no stage trains is as it was, to the byte: the guider's decoder too.
    let open = |place: &Path| Weights::open(place.join("pose_guider"), &Limits::default()).unwrap();
    let (before, after) = (open(base.path()), open(&newest));
    for (key, _) in before.shapes() {
        assert_eq!(before.raw(key) == after.raw(key), key.starts_with("decoder."), "{key}");
    }
    // A run that is over stays over; another one does not begin in its place.
    let again = go_on(base.path(), run.path(), run_settings(1), Precision::F32, u64::MAX);
    assert_eq!(again.records.len(), 8);
    let (data, held_out) = data();
    let (task, networks) = task(base.path(), &data, &held_out);
    let error = Trainer::start(task, networks, run_settings(1), run.path()).unwrap_err().to_string();
    assert!(error.contains("resume"), "{error}");
}

#[test]
fn other_settings_and_patterns_without_parameters_are_refused() {
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    let (data, held_out) = data();
    let stage = Stage::new("typo", &["transformer.patch_embd.*"], 1, 1, LearningRate::constant(1e-3));
    let (first, networks) = task(base.path(), &data, &held_out);
    let error = Trainer::start(first, networks, RunSettings::new(7, vec![stage]), run.path()).unwrap_err().to_string();
    assert!(error.contains("transformer.patch_embd.*"), "{error}");

    go_on(base.path(), run.path(), run_settings(100), Precision::F32, 2);
    let (second, _) = task(base.path(), &data, &held_out);
    let other = RunSettings { seed: 8, ..run_settings(100) };
    let error = Trainer::resume(second, || unreachable!(), other, run.path()).unwrap_err().to_string();
    assert!(error.contains("seed 7"), "{error}");
}

/// Losses of a few steps, and the one on held-out examples behind them.
fn losses(settings: DiffusionSettings, stage: Stage) -> (Vec<f64>, f64) {
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    let (data, held_out) = data();
    let parts = parts(base.path(), Precision::F32);
    let task = DiffusionTask::new(parts, settings, &data, Some(&held_out), 7, &Device::flex()).unwrap();
    let networks = task.networks(base.path()).unwrap();
    let mut trainer = Trainer::start(task, networks, RunSettings::new(7, vec![stage]), run.path()).unwrap();
    for _ in 0..3 {
        trainer.step().unwrap();
    }
    (trainer.history().losses(), trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap())
}

#[test]
fn examples_made_ahead_change_no_loss() {
    let stage = || Stage { accumulate: 2, ..Stage::new("x", &["transformer.*"], 3, 4, LearningRate::constant(1e-3)) };
    // Nothing is kept, so that every example is made again each time.
    let with = |ahead| losses(DiffusionSettings { ahead, cache_megabytes: 0, ..settings() }, stage());
    assert_eq!(with(true), with(false));
}

#[test]
fn held_out_losses_are_comparable_whatever_was_trained_with() {
    let with = |loss, held_out_loss, dropout| {
        // Nothing is learned, so that the networks are the same.
        let stage = Stage::new("x", &["transformer.*"], 3, 1, LearningRate::constant(0.0));
        let stage = Stage { loss, dropout, optimizer: AdamWSettings { weight_decay: 0.0, ..stage.optimizer }, ..stage };
        losses(DiffusionSettings { held_out_loss, ..settings() }, stage).1
    };
    let (all, even) = (Dropout::default(), LossSettings::default());
    let plain = with(even, None, all);
    let weighted = [
        LossSettings { face_aware: Some(Reading::Rescaled), ..even },
        LossSettings { picture: 1.0, ..even },
        LossSettings { picture: 0.5, ..even },
    ];
    let own = weighted.map(|loss| with(loss, None, all));
    assert!(own.iter().all(|own| *own != plain) && own[1] != own[2], "{plain} {own:?}: each weighs errors its way");
    for loss in weighted {
        assert_eq!(with(loss, Some(even), all), plain);
    }
    assert_eq!(with(even, Some(weighted[1]), all), own[1]);
    // A condition that is left out now and then is there on held-out examples, one that is never there is not.
    assert_eq!(with(even, None, Dropout { guide: 0.5, ..all }), plain);
    assert_ne!(with(even, None, Dropout { guide: 1.0, ..all }), plain);
}

#[test]
fn two_devices_or_two_parts_take_the_step_that_one_takes() {
    let (base, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_model(base.path());
    let (data, held_out) = data();
    let rate = LearningRate::constant(1e-3);
    // Three examples: the parts are not equal.
    let stage = || Stage::new("joint", &["transformer.*", "pose_guider.encoder.*"], 3, 3, rate);
    let make = || task(base.path(), &data, &held_out);
    let steps = |others: usize, parts: usize| {
        let settings = RunSettings { parts, ..RunSettings::new(7, vec![stage()]) };
        let (first, networks) = make();
        let trainer = Trainer::start(first, networks, settings, run.path()).unwrap();
        let mut trainer = trainer.with_others((0..others).map(|_| make().0).collect()).unwrap();
        for _ in 0..3 {
            trainer.step().unwrap();
        }
        let records = trainer.history().records.clone();
        (trainer.history().losses(), records.iter().map(|r| r.gradient_norm).collect::<Vec<_>>())
    };
    let one = steps(0, 1);
    for two in [steps(1, 1), steps(0, 2)] {
        for (ours, theirs) in one.0.iter().chain(&one.1).zip(two.0.iter().chain(&two.1)) {
            assert!((ours - theirs).abs() < 1e-4 * ours.abs(), "{one:?} {two:?}");
        }
    }
}

/// Names the directory in which a child process trains.
const CHILD: &str = "SKYREELS_TRAIN_TEST_CHILD";

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "it is run by another test"]
fn child_that_trains_until_it_is_killed() {
    let Some(place) = std::env::var_os(CHILD) else { return };
    let place = Path::new(&place);
    let mut settings = run_settings(1);
    settings.stages.iter_mut().for_each(|stage| stage.steps = 1000);
    go_on(&place.join("base"), &place.join("run"), settings, Precision::F32, u64::MAX);
}

#[test]
fn a_kill_at_any_moment_loses_at_most_the_work_since_the_last_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    write_model(&place.path().join("base"));
    let run = place.path().join("run");
    let mut steps = 0;
    for round in 0..4u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "learning::child_that_trains_until_it_is_killed", "--ignored"])
            .env(CHILD, place.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Until it has got on, then a moment that differs from round to round.
        let since = Instant::now();
        while newest(&run) <= steps && since.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(37 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = newest(&run);
        assert!(now > steps, "round {round}: {steps} steps before, {now} now");
        steps = now;
    }
    // Whatever it left, the newest checkpoint is whole and the run goes on from it.
    let mut settings = run_settings(1);
    settings.stages.iter_mut().for_each(|stage| stage.steps = 1000);
    let history = go_on(&place.path().join("base"), &run, settings, Precision::F32, steps + 1);
    assert_eq!(history.records.len() as u64, steps + 1);
    assert!(history.records.iter().zip(1..).all(|(record, step)| record.step == step));
}

/// Steps that the newest checkpoint has seen.
fn newest(run: &Path) -> u64 {
    let path = latest(run).unwrap();
    path.map_or(0, |path| path.file_name().unwrap().to_str().unwrap()["step_".len()..].parse().unwrap())
}
