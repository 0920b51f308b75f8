//! The small landmark network learns from the rendered world.

use skyreels_core::{Device, Progress};
use skyreels_landmarks::compact::CompactConfig;
use skyreels_train::landmarks::{LandmarkErrors, LandmarkTraining, Samples};

fn training(steps: u64) -> LandmarkTraining {
    LandmarkTraining {
        network: CompactConfig { side: 32, channels: vec![8, 16, 24], squeezed: 8, features: 48 },
        identities: [1000, 2000],
        seed: 3,
        steps,
        batch: 16,
        learning_rate: 3e-3,
        weight_decay: 1e-4,
    }
}

#[test]
fn a_few_steps_make_it_better_on_people_it_has_not_seen() {
    let device = Device::flex();
    let held_out = Samples { identities: 0..100, seed: 9, ..training(0).samples() };
    let measure = |steps: u64| {
        let mut losses = Vec::new();
        let network = training(steps).run(&device, |_, loss| losses.push(loss), Progress::none()).unwrap();
        assert!(losses.len() as u64 == steps && losses.iter().all(|loss| loss.is_finite()));
        LandmarkErrors::measure(&network, &held_out, 64, &device, Progress::none()).unwrap()
    };
    let (before, after) = (measure(0), measure(40));
    println!("{before:?}\n{after:?}");
    assert!(after.points < 0.85 * before.points, "{} {}", before.points, after.points);
}

#[test]
fn a_sample_is_the_same_whenever_it_is_asked_for_and_its_points_lie_on_the_face() {
    let samples = training(0).samples();
    let batch = samples.batch(0..24).unwrap();
    let again = samples.get(17).unwrap();
    assert_eq!((&batch[17].picture, &batch[17].points), (&again.picture, &again.points));
    let shown: Vec<_> = batch.iter().filter_map(|sample| sample.points.as_ref()).collect();
    assert!(shown.len() >= 16, "{} of 24 show a face", shown.len());
    for points in shown {
        let inside = points.iter().filter(|p| (0.0..1.0).contains(&p[0]) && (0.0..1.0).contains(&p[1])).count();
        assert!(inside > 300, "{inside} of 478 points are in the picture");
    }
}
