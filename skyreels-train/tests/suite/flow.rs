//! Optical flow: the original's answers, and the truth of the rendered world.

#![allow(deprecated, reason = "a second backend that needs nothing installed")]

use std::path::Path;

use proptest::prelude::*;
use skyreels_core::checkpoint::Weights;
use skyreels_core::golden::Golden;
use skyreels_core::{Device, Frame, Limits, Progress};
use skyreels_train::flow::raft::{Correlation, Raft, Size};
use skyreels_train::flow::{FlowField, LucasKanade, OpticalFlow, RaftFlow, RaftOptions, RenderedFlow};
use skyreels_train::golden;
use skyreels_train::loss::FaceAware;
use skyreels_train::world::{Expression, Label, Person, Pose, State};

fn equals_the_original(name: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra")).join(name);
    if !path.with_extension("json").exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let file = Golden::open(&path).unwrap();
    for device in [Device::flex(), Device::ndarray()] {
        let report = golden::run(&file, &device).unwrap();
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn large_raft_equals_its_authors() {
    equals_the_original("raft_large_original");
}

#[test]
fn small_raft_equals_its_authors() {
    equals_the_original("raft_small_original");
}

#[test]
fn large_raft_equals_torchvision() {
    equals_the_original("raft_large_torchvision");
}

#[test]
fn small_raft_equals_torchvision() {
    equals_the_original("raft_small_torchvision");
}

/// Frames, states and a person who speaks and goes through `poses`.
fn clip(seed: u64, size: [u32; 2], poses: impl Iterator<Item = Pose>) -> (Person, Vec<State>, Vec<Frame>) {
    let person = Person::from_seed(seed);
    let state = |(i, pose): (usize, Pose)| {
        let expression = Expression::default().with("jawOpen", 0.3 + 0.3 * (i as f32 / 3.0).sin());
        State { expression, pose }
    };
    let states: Vec<State> = poses.enumerate().map(state).collect();
    let pictures = states.iter().map(|state| person.pose(state).frame(size)).collect();
    (person, states, pictures)
}

/// Turns and nods, up to 5 degrees a frame.
fn turning() -> impl Iterator<Item = Pose> {
    (0..4).map(|i| {
        let t = i as f32 / 3.0;
        Pose { rotation: [0.08 * t.cos(), 0.25 * t.sin(), 0.0], ..Pose::default() }
    })
}

/// Goes aside and up, 6 millimetres a frame.
fn shifting() -> impl Iterator<Item = Pose> {
    (0..4).map(|i| Pose { translation: [0.5 * i as f32, 0.3 * i as f32, 0.0], ..Pose::default() })
}

#[test]
fn flow_of_a_rendered_clip_weighs_the_moving_face_more() {
    let size = [96, 128];
    let (person, states, frames) = clip(5, size, turning());
    let flows = RenderedFlow { person: &person, states: &states }.between(&frames, Progress::none()).unwrap();
    let magnitudes: Vec<Vec<f32>> = flows.iter().map(FlowField::magnitude).collect();
    let pixels = (size[0] * size[1]) as usize;
    let weights = FaceAware::default().clip_weights(&magnitudes, pixels);
    assert_eq!(weights.len(), 4 * pixels);
    assert!(weights[..pixels].iter().all(|weight| *weight == 1.0), "nothing moves before the first frame");
    for (frame, state) in states.iter().enumerate().skip(1) {
        // The flow of a frame lies on the pixels of the frame that it starts from.
        let labels = person.pose(&states[frame - 1]).labels(size);
        let mean = |counts: fn(Label) -> bool| {
            let of = |(i, label): (usize, &Label)| counts(*label).then(|| weights[frame * pixels + i]);
            let picked: Vec<f32> = labels.as_slice().iter().enumerate().filter_map(of).collect();
            picked.iter().sum::<f32>() / picked.len() as f32
        };
        let (face, background) = (mean(|label| label == Label::Skin), mean(|label| label == Label::Background));
        assert!(face > 1.05 && background == 1.0, "{frame} {state:?}: {face} on the face, {background} behind it");
    }
}

/// Mean end-point error of Lucas and Kanade over what moves and stays visible in clips of five people, as a share of
/// that of saying that nothing moves.
fn lucas_kanade_error<P: Iterator<Item = Pose>>(poses: fn() -> P) -> f64 {
    let size = [160, 160];
    let [mut ours, mut still] = [0.0; 2];
    for seed in 0..5 {
        let (person, states, frames) = clip(seed, size, poses());
        let truth = RenderedFlow { person: &person, states: &states }.between(&frames, Progress::none()).unwrap();
        let found = LucasKanade::default().between(&frames, Progress::none()).unwrap();
        for (index, (found, truth)) in found.iter().zip(&truth).enumerate() {
            let hidden = person.flow(&states[index], &states[index + 1], size).hidden().to_vec();
            let moves = truth.magnitude();
            let counts = |i: usize| !hidden[i] && moves[i] > 0.0;
            let nothing = FlowField::new(size, vec![0.0; truth.vectors().len()]).unwrap();
            ours += found.end_point_error(truth, counts);
            still += nothing.end_point_error(truth, counts);
        }
    }
    println!("{:.3} pixels of {:.3}", ours / 15.0, still / 15.0);
    ours / still
}

#[test]
fn lucas_kanade_finds_the_true_motion_of_a_shifting_head() {
    let share = lucas_kanade_error(shifting);
    assert!(share < 0.2, "{share}");
}

#[test]
fn lucas_kanade_finds_some_of_the_true_motion_of_a_turning_head() {
    // Smooth skin under a fixed light looks the same while it turns; edges and features show the motion.
    let share = lucas_kanade_error(turning);
    assert!(share < 0.7, "{share}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn lucas_kanade_finds_a_shift_of_a_textured_picture(right in -6.0f32..6.0, down in -6.0f32..6.0) {
        let wave = |x: f32, y: f32| 0.5 + 0.2 * (x * 0.31).sin() * (y * 0.23).cos() + 0.2 * (x * 0.11 + y * 0.17).sin();
        let picture = |u: f32, v: f32| Frame::from_fn(96, 80, |x, y| {
            let value = (255.0 * wave(x as f32 - u, y as f32 - v)) as u8;
            image::Rgb([value; 3])
        });
        let flows = LucasKanade::default().between(&[picture(0.0, 0.0), picture(right, down)], Progress::none()).unwrap();
        let pixels = 96 * 80;
        let truth = FlowField::new([96, 80], [vec![right; pixels], vec![down; pixels]].concat()).unwrap();
        let inside = |i: usize| (10..86).contains(&(i % 96)) && (10..70).contains(&(i / 96));
        let error = flows[0].end_point_error(&truth, inside);
        prop_assert!(error < 0.15 + 0.1 * f64::from(right.hypot(down)), "{error}");
    }
}

fn untrained(size: Size, device: &Device, options: RaftOptions) -> RaftFlow {
    device.seed(1);
    RaftFlow::new(Raft::new(size, device), device, options).unwrap()
}

fn furthest(a: &[FlowField], b: &[FlowField]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.vectors().iter().zip(b.vectors()));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn pairs_at_once_and_recomputed_products_give_the_same_flow() {
    let (_, _, frames) = clip(2, [100, 132], turning());
    for (size, device) in
        [(Size::Small, Device::flex()), (Size::Large, Device::flex()), (Size::Small, Device::ndarray())]
    {
        let plain = RaftOptions { iterations: 2, pairs: 1, correlation: Correlation::Stored };
        let flow = |options| untrained(size, &device, options).between(&frames, Progress::none()).unwrap();
        let expected = flow(plain);
        assert_eq!(expected.len(), 3);
        assert!(expected.iter().all(|field| field.size() == [100, 132]));
        for pairs in [2, 3] {
            let apart = furthest(&expected, &flow(RaftOptions { pairs, ..plain }));
            assert!(apart < 1e-4, "{size:?} {pairs} pairs: {apart}");
        }
        let correlation = Correlation::Recomputed { places: 100 };
        let apart = furthest(&expected, &flow(RaftOptions { correlation, pairs: 2, ..plain }));
        assert!(apart < 1e-4, "{size:?} recomputed: {apart}");
    }
}

#[test]
fn wrong_frames_and_options_are_refused() {
    let device = Device::flex();
    let raft = |iterations, pairs| {
        RaftFlow::new(
            Raft::new(Size::Small, &device),
            &device,
            RaftOptions { iterations, pairs, ..RaftOptions::default() },
        )
    };
    assert!(raft(0, 1).is_err() && raft(1, 0).is_err());
    let one = raft(1, 1).unwrap();
    let message = |frames: &[Frame]| one.between(frames, Progress::none()).unwrap_err().to_string();
    assert!(message(&[Frame::new(8, 8)]).contains("too few"));
    assert!(message(&[Frame::new(8, 8), Frame::new(8, 9)]).contains("frame 1"));
    let person = Person::from_seed(0);
    let exact = RenderedFlow { person: &person, states: &[State::default()] };
    assert!(exact.between(&[Frame::new(8, 8), Frame::new(8, 8)], Progress::none()).is_err());
}

#[test]
fn a_file_that_is_no_raft_is_refused_with_the_keys_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.safetensors");
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    std::fs::write(&path, safetensors::serialize([("something", view)], None).unwrap()).unwrap();
    let weights = Weights::open(&path, &Limits::default()).unwrap();
    let message = Raft::load(&weights, &Device::flex(), Progress::none()).unwrap_err().to_string();
    assert!(message.contains("fnet.conv1.weight") && message.contains("something"), "{message}");
}

#[test]
fn a_cancelled_estimate_stops() {
    let stop = |_| std::ops::ControlFlow::Break(());
    let frames = [Frame::new(64, 64), Frame::new(64, 64)];
    for estimate in
        [&LucasKanade::default() as &dyn OpticalFlow, &untrained(Size::Small, &Device::flex(), RaftOptions::default())]
    {
        let error = estimate.between(&frames, Progress::new(&stop)).unwrap_err();
        assert_eq!(error.to_string(), "cancelled during flow");
    }
}
