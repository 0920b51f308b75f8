//! The small landmark network learns from the rendered world.

use skyreels_core::{Device, Progress};
use skyreels_landmarks::BLENDSHAPE_NAMES;
use skyreels_landmarks::compact::CompactConfig;
use skyreels_train::landmarks::{LandmarkSettings, LandmarkTask};
use skyreels_train::optimise::{Decay, LearningRate};
use skyreels_train::run::{RunSettings, Task, Trainer};
use skyreels_train::stage::Stage;

const STEPS: u64 = 40;

fn task() -> LandmarkTask {
    let network = CompactConfig { side: 32, channels: vec![8, 16, 24], squeezed: 8, features: 48 };
    let settings = LandmarkSettings { network, identities: [1000, 2000], held_out: [0, 100], measured: 48, seed: 3 };
    LandmarkTask::new(settings, &Device::flex()).unwrap()
}

#[test]
fn a_few_steps_make_it_better_on_people_it_has_not_seen() {
    let directory = tempfile::tempdir().unwrap();
    let rate = LearningRate { peak: 3e-3, warmup: 2, decay: Decay::Cosine { floor: 0.0 } };
    let mut stage = Stage::new("landmarks", &["*"], STEPS, 16, rate);
    stage.parameters.freeze.push("canonical".into());
    let settings = RunSettings { validate_every: 0, ..RunSettings::new(3, vec![stage]) };
    let first = task().networks().unwrap();
    let before = task().errors(&first, Progress::none()).unwrap();
    let mut trainer = Trainer::start(task(), first.clone(), settings, directory.path()).unwrap();
    trainer.run(Progress::none(), |_| Ok(())).unwrap();
    let after = task().errors(trainer.networks(), Progress::none()).unwrap();
    println!("{before:?}\n{after:?}");
    assert!(after.points < 0.85 * before.points, "{} {}", before.points, after.points);

    // What was written is what was trained, and the mean head is as it was.
    let checkpoint = skyreels_train::run::latest(directory.path()).unwrap().unwrap();
    let again = task().errors(&task().load(&checkpoint).unwrap(), Progress::none()).unwrap();
    assert_eq!(again, after);
    let head = |network: &skyreels_landmarks::compact::CompactNetwork| network.canonical().into_data();
    assert_eq!(head(trainer.networks()), head(&first));
}

#[test]
fn a_sample_is_the_same_whenever_it_is_asked_for_and_its_points_lie_on_the_face() {
    let (first, second) = (task(), task());
    let (samples, others) = (LandmarkTask::samples(&first), LandmarkTask::samples(&second));
    let batch = samples.batch(0..24).unwrap();
    // Whether its rendering is still there, or was forgotten, or is made anew.
    let far = samples.batch(1_000_000..1_000_001).unwrap().remove(0);
    for again in [samples.batch(17..18).unwrap().remove(0), others.batch(10..20).unwrap().remove(7)] {
        assert_eq!((&batch[17].picture, &batch[17].points), (&again.picture, &again.points));
        assert_ne!(again.picture, far.picture);
    }
    let shown: Vec<_> = batch.iter().filter_map(|sample| sample.points.as_ref()).collect();
    assert!(shown.len() >= 16, "{} of 24 show a face", shown.len());
    for points in shown {
        let inside = points.iter().filter(|p| (0.0..1.0).contains(&p[0]) && (0.0..1.0).contains(&p[1])).count();
        assert!(inside > 300, "{inside} of 478 points are in the picture");
    }
}

/// The network learns no more about mouths than it is shown.
#[test]
fn people_in_samples_speak_and_smile() {
    let task = task();
    let batch = LandmarkTask::samples(&task).batch(0..128).unwrap();
    let share = |name: &str, least: f32| {
        let control = BLENDSHAPE_NAMES.iter().position(|known| *known == name).unwrap();
        batch.iter().filter(|sample| sample.scores[control] > least).count() as f32 / batch.len() as f32
    };
    let (open, smiling) = (share("jawOpen", 0.15), share("mouthSmileLeft", 0.2));
    println!("{open} open their mouths, {smiling} smile");
    assert!(open > 0.5 && smiling > 0.2);
}
