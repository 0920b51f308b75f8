//! Whole directories: what a good result, a bad one and another order give.

use std::path::PathBuf;

use skyreels_core::{Device, Frame, Limits, Progress};
use skyreels_eval::{EvaluationOptions, FaceEmbedder, Pair, evaluate};

use crate::support::stage::{Stage, TIMES, arcface, judges, pair};
use crate::support::{scene, write_video};

#[test]
fn a_result_that_is_its_driver_is_perfect_and_others_are_worse() {
    let stage = Stage::new();
    let driver = stage.directories.driving.join("talk.mp4");
    let as_truth = |name: &str, result: PathBuf| Pair {
        name: name.into(),
        result,
        portrait: Some(stage.directories.portraits.join("anna.png")),
        driving: driver.clone(),
        truth: true,
    };
    stage.result("still.mp4", 1, &[1; 10]);
    stage.result("shuffled.mp4", 1, &[8, 3, 9, 1, 6, 2, 7, 3, 5, 4]);
    let file = |name: &str| stage.directories.results.join(name);
    let evaluation = stage.evaluate(&[
        as_truth("same", driver.clone()),
        as_truth("still", file("still.mp4")),
        as_truth("shuffled", file("shuffled.mp4")),
    ]);
    assert_eq!(evaluation.work.decoded_files, 4, "the driver is a result, too: it is decoded once");
    let same = pair(&evaluation, "same");
    for key in ["blendshape_l1", "expression_cm", "rotation_deg", "rotation_from_first_deg", "pose_l1_deg", "landmarks"]
    {
        assert!(same.values[key].abs() < 1e-6, "{key}: {}", same.values[key]);
        for worse in ["still", "shuffled"] {
            assert!(pair(&evaluation, worse).values[key] > 1e-3, "{key} of {worse}");
        }
    }
    for (key, perfect) in [("psnr", 100.0), ("ssim", 1.0), ("detection_rate", 1.0), ("a1_expression", 0.0)] {
        assert!((same.values[key] - perfect).abs() < 1e-9, "{key}: {}", same.values[key]);
    }
    assert!(pair(&evaluation, "still").values["psnr"] < 60.0);
    // The released expression score takes the shuffled one for perfect, as far as the codec lets it.
    assert!(pair(&evaluation, "shuffled").values["a1_expression"] < 1e-9);
    let identity = same.values["identity_arcface"];
    assert!((0.9..=1.0).contains(&identity), "the same person: {identity}");
    assert_eq!(same.series["blendshape_l1"].len(), 10);
    assert!(same.missing["ms_ssim"].contains("176 pixels"), "160 pixels are too few: {:?}", same.missing);
}

#[test]
fn lost_faces_are_counted_and_clips_of_other_lengths_are_compared_where_both_are() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &[1, 0, 3, 0, 8, 9]);
    stage.result("bert__sing.mp4", 2, &[0; 10]);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let evaluation = stage.evaluate(&pairs);
    let lossy = pair(&evaluation, "anna__talk");
    assert_eq!((lossy.frames, lossy.values["frames"]), ([6, 10], 6.0));
    assert!((lossy.values["detection_rate"] - 4.0 / 6.0).abs() < 1e-12);
    assert!(lossy.values["identity_arcface_all"] < lossy.values["identity_arcface"]);
    assert!(lossy.missing["a1_expression"].contains("one frame"));
    let nobody = pair(&evaluation, "bert__sing");
    assert!(!nobody.values.contains_key("blendshape_l1") && nobody.missing.contains_key("blendshape_l1"));
    assert_eq!(nobody.values["detection_rate"], 0.0);
    let summary = evaluation.summary["blendshape_l1"];
    assert_eq!((summary.pairs, summary.of), (1, 2), "what could not be measured is not hidden");
}

#[test]
fn the_order_of_the_pairs_means_nothing() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    stage.result("bert__talk.mp4", 2, &[1, 2, 2, 5, 8, 8, 7, 6, 4, 4]);
    stage.result("anna__sing.mp4", 1, &[4, 4, 2, 2, 3, 3, 6, 8, 9, 9]);
    let mut pairs = stage.directories.pairs_by_name().unwrap();
    let forwards = stage.evaluate(&pairs);
    pairs.reverse();
    let backwards = stage.evaluate(&pairs);
    for scores in &forwards.pairs {
        assert_eq!(scores, pair(&backwards, &scores.name));
    }
    for (key, summary) in &forwards.summary {
        let other = backwards.summary[key];
        assert!((summary.mean - other.mean).abs() < 1e-12 && summary.interval == other.interval, "{key}");
    }
    assert_eq!(forwards.sets, backwards.sets);
    let [places, stretches] = &forwards.sets[..] else { panic!("two distances: {:?}", forwards.sets) };
    assert_eq!((places.samples, stretches.samples), ([12, 10], [9, 6]), "frames, and stretches of three");
    assert!(places.value.unwrap() > 0.0 && places.warning.is_some() && stretches.warning.is_some());
}

#[test]
fn both_backends_say_the_same() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let network = arcface(&stage.device);
    skyreels_core::checkpoint::save(&network, folder.path(), "arcface", usize::MAX).unwrap();
    #[allow(deprecated, reason = "a second backend that needs nothing installed")]
    let devices = [Device::flex(), Device::ndarray()];
    let evaluations = devices.map(|device| {
        let path = folder.path().join("arcface.safetensors");
        let embedder = FaceEmbedder::open(path, &Limits::default(), &device).unwrap();
        let options = EvaluationOptions { keep: None, ..stage.options() };
        evaluate(&pairs, &judges(vec![embedder]), &options, Progress::none()).unwrap()
    });
    let [a, b] = &evaluations;
    assert_eq!(a.summary.keys().collect::<Vec<_>>(), b.summary.keys().collect::<Vec<_>>());
    for (key, summary) in &a.summary {
        assert!((summary.mean - b.summary[key].mean).abs() < 1e-4, "{key}");
    }
}

#[test]
fn a_result_on_another_canvas_than_its_driver_is_measured_in_the_same_places() {
    let stage = Stage::new();
    // The driver is wider than the result: the pipeline keeps the height and the middle.
    let wide = |time: u32| {
        let mut frame = Frame::from_pixel(280, 160, image::Rgb([90; 3]));
        image::imageops::replace(&mut frame, &scene(1, time), 0, 0);
        frame
    };
    let driving = stage.directories.driving.join("wide.mp4");
    write_video(&driving, &TIMES.map(wide));
    let on_canvas = |size: u32| skyreels_core::resize::fit(&wide(1), size, size).unwrap().dimensions();
    assert_eq!(on_canvas(160), (160, 160));
    stage.result("same.mp4", 1, &TIMES);
    let pair =
        |result: PathBuf| Pair { name: "w".into(), result, portrait: None, driving: driving.clone(), truth: true };
    // The tracker of these tests places its points by shares of the canvas. 280 wide, the driver's middle 200 columns are the
    // result's: a point at the share s of the driver is at 280 s - 40 of the result, and not at 200 s.
    let pairs = [pair(stage.directories.results.join("same.mp4"))];
    let evaluation = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    let measured = evaluation.pairs[0].series["landmarks"][0].unwrap();
    let (width, canvas) = (280.0, 200.0);
    let face = crate::support::drawn(1.0);
    let distances =
        face.landmarks.iter().map(|[x, ..]| (f64::from(*x) * (width - canvas) - (width - canvas) / 2.0).abs());
    let [right, left] = [33, 263].map(|i: usize| face.landmarks[i]);
    let eyes = (f64::from(right[0] - left[0]) * width).hypot(f64::from(right[1] - left[1]) * 160.0);
    let expected = distances.sum::<f64>() / face.landmarks.len() as f64 / eyes;
    assert!((measured - expected).abs() < 1e-3 * expected, "{measured} instead of {expected}");
}
