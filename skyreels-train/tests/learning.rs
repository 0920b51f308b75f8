//! The loop learns, and goes on exactly where it stopped.

mod support;

use skyreels_core::Progress;
use skyreels_train::optimise::LearningRate;
use skyreels_train::run::{Note, RunSettings, Task, Trainer};
use skyreels_train::stage::Stage;
use support::{task, world, write_model};

fn joint(steps: u64, rate: f64) -> Stage {
    let train = ["transformer.*"];
    let rate = LearningRate { peak: rate, warmup: 5, ..LearningRate::constant(rate) };
    Stage { clip_norm: Some(1.0), ..Stage::new("joint", &train, steps, 4, rate) }
}

#[test]
fn a_tiny_model_trained_from_nothing_is_clearly_better_on_people_it_has_never_seen() {
    let base = tempfile::tempdir().unwrap();
    write_model(base.path());
    let (data, held_out) = (world(24, 2), world(6, 1).held_out());
    let (task, networks) = task(base.path(), &data, &held_out);
    let run = tempfile::tempdir().unwrap();
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(7, vec![joint(120, 3e-3)]) };
    let mut trainer = Trainer::start(task, networks, settings, run.path()).unwrap();
    let before = trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    for _ in 0..120 {
        trainer.step().unwrap();
    }
    let after = trainer.task().held_out_loss(trainer.networks()).unwrap().unwrap();
    let seconds: f64 = trainer.history().records.iter().map(|record| record.seconds).sum();
    println!("held-out loss {before} -> {after} in {seconds} s");
    assert!(after < 0.5 * before, "{before} -> {after}");
    let _ = (Progress::none(), |note: Note| drop(note));
}
