//! Whole directories: what a good result, a bad one, a second run and another order give.

mod support;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use skyreels_core::media::{FrameRate, write_picture};
use skyreels_core::{Device, Event, Frame, Limits, Progress};
use skyreels_eval::{
    AnalysisOptions, ArcFaceConfig, Directories, Error, Evaluation, EvaluationOptions, FaceEmbedder, FeatureExtractor,
    FidReference, IdentityNetwork, InceptionConfig, InceptionExtractor, Judges, METRICS, Pair, PairScores, Result,
    bootstrap_mean, csv, evaluate, page,
};
use skyreels_landmarks::{FacePick, StreamOptions};
use support::{Clock, scene, write_video};

/// Features that a test can follow: brightness of sixteen places.
struct Places {
    frames: usize,
}

impl FeatureExtractor for Places {
    fn name(&self) -> &str {
        if self.frames == 1 { "places" } else { "stretches" }
    }

    fn frames(&self) -> usize {
        self.frames
    }

    fn width(&self) -> usize {
        16
    }

    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
        let place = |frame: &Frame, i: u32| {
            let at = |side: u32, i: u32| side * (2 * i + 1) / 8;
            f32::from(frame.get_pixel(at(frame.width(), i % 4), at(frame.height(), i / 4))[0]) / 255.0
        };
        assert!(stretches.iter().all(|stretch| stretch.len() == self.frames));
        Ok(stretches
            .iter()
            .map(|stretch| (0..16).map(|i| stretch.iter().map(|f| place(f, i)).sum()).collect())
            .collect())
    }
}

fn judges(identity: Vec<FaceEmbedder>) -> Judges<'static> {
    Judges {
        tracker: &Clock,
        identity,
        features: vec![Box::new(Places { frames: 1 }), Box::new(Places { frames: 3 })],
        a1_inception: None,
    }
}

/// A network that nobody has trained: the tests ask whether it is asked, and the same face looks the same to it.
fn embedder() -> FaceEmbedder {
    static EMBEDDER: LazyLock<FaceEmbedder> = LazyLock::new(|| {
        let device = Device::flex();
        FaceEmbedder::new(IdentityNetwork::ArcFace(Box::new(ArcFaceConfig::R18.init(&device))), &device)
    });
    EMBEDDER.clone()
}

/// Directories with portraits, a driver of ten frames and results that are better or worse.
struct Stage {
    directory: tempfile::TempDir,
    directories: Directories,
    device: Device,
}

/// The driver's times.
const TIMES: [u32; 10] = [1, 2, 3, 5, 8, 9, 7, 6, 4, 3];

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let directories =
            Directories { results: place("results"), portraits: place("portraits"), driving: place("driving") };
        write_picture(directories.portraits.join("anna.png"), &scene(1, 1)).unwrap();
        write_picture(directories.portraits.join("bert.png"), &scene(2, 1)).unwrap();
        clip(&directories.driving.join("talk.mp4"), 1, &TIMES);
        clip(&directories.driving.join("sing.mp4"), 1, &[4, 3, 2, 2, 3, 4, 6, 8, 9, 9]);
        let device = Device::flex();
        Self { directory, directories, device }
    }

    fn result(&self, name: &str, person: u32, times: &[u32]) {
        clip(&self.directories.results.join(name), person, times);
    }

    fn options(&self) -> EvaluationOptions {
        EvaluationOptions {
            analysis: AnalysisOptions {
                rate: FrameRate::NATIVE,
                max_frames: 100,
                samples: 4,
                stream: StreamOptions::image(),
                pick: FacePick::Largest,
            },
            jobs: 2,
            keep: Some(self.directory.path().join("kept")),
            networks: "test".into(),
            reference: FidReference::All,
            resamples: 200,
            seed: 1,
            limits: Limits::default(),
        }
    }

    /// Without a face recognition network, which takes most of the time.
    fn evaluate_motion(&self, pairs: &[Pair], options: &EvaluationOptions) -> Result<Evaluation> {
        evaluate(pairs, &judges(Vec::new()), options, Progress::none())
    }

    fn evaluate(&self, pairs: &[Pair]) -> Evaluation {
        let judges = judges(vec![embedder()]);
        evaluate(pairs, &judges, &self.options(), Progress::none()).unwrap()
    }
}

fn clip(path: &Path, person: u32, times: &[u32]) {
    write_video(path, &times.iter().map(|time| scene(person, *time)).collect::<Vec<_>>());
}

fn pair<'a>(evaluation: &'a Evaluation, name: &str) -> &'a PairScores {
    evaluation.pairs.iter().find(|pair| pair.name == name).unwrap()
}

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
fn every_file_is_decoded_once_and_a_second_run_decodes_none() {
    let stage = Stage::new();
    for name in ["anna__talk.mp4", "bert__talk.mp4", "anna__sing.mp4", "bert__sing.mp4"] {
        stage.result(name, 1, &TIMES);
    }
    let pairs = stage.directories.pairs_by_name().unwrap();
    // The frames and kinds of networks of the released script.
    let run = || {
        let mut judges = judges(vec![embedder()]);
        judges.features.truncate(1);
        let mut options = stage.options();
        options.analysis.samples = 16;
        evaluate(&pairs, &judges, &options, Progress::none()).unwrap()
    };
    let first = run();
    assert_eq!(first.work.decoded_files, 4 + 2 + 2, "results, drivers and portraits, each once");
    assert_eq!(first.work.frames, 4 * 10 + 2 * 10 + 2);
    // For each frame (16 of a longer clip, 10 here) of each result the released script sends reference and frame through the
    // recognition network, and both through Inception; here whole clips go through, and references once.
    let released = 4 * 10 * (2 + 2) as u64;
    assert!(first.work.forward_passes * 5 <= released, "{:?} instead of {released}", first.work);
    assert!(first.work.pictures < released, "{:?} instead of {released}", first.work);
    let second = run();
    assert_eq!((second.work.decoded_files, second.work.kept_files, second.work.frames), (0, 8, 0));
    assert_eq!((&second.pairs, &second.sets, &second.summary), (&first.pairs, &first.sets, &first.summary));
    // A file that has changed is measured again, and only that one.
    stage.result("anna__talk.mp4", 1, &TIMES[..8]);
    assert_eq!(run().work.decoded_files, 1);
    // A file of kept measurements that is damaged is made again.
    let kept = std::fs::read_dir(stage.directory.path().join("kept")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&kept, b"damaged").unwrap();
    assert_eq!(run().work.decoded_files, 1);
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
    let network = ArcFaceConfig::R18.init(&stage.device);
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
fn a_bad_file_costs_its_pairs_and_not_the_others() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    std::fs::write(stage.directories.results.join("bert__talk.mp4"), b"no video").unwrap();
    let pairs = stage.directories.pairs_by_name().unwrap();
    let evaluation = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    assert_eq!((evaluation.pairs.len(), evaluation.failures.len()), (1, 1));
    assert_eq!(evaluation.summary["blendshape_l1"].interval, None, "one clip says nothing about others");
    let table = csv(&evaluation);
    let failed = table.lines().last().unwrap();
    assert!(failed.starts_with("\"bert__talk\",,,,") && failed.contains("bert__talk.mp4"), "{failed}");
    let failure = &evaluation.failures[0];
    assert!(failure.name == "bert__talk" && failure.reason.contains("bert__talk.mp4"), "{failure:?}");
    assert!(page(&evaluation).contains("Not measured: 1 pair<"));
    let only = stage.evaluate_motion(&pairs[1..], &stage.options()).unwrap_err();
    assert!(matches!(only, Error::Empty { .. }) && only.to_string().contains("bert__talk"), "{only}");
    let none = stage.evaluate_motion(&[], &stage.options()).unwrap_err();
    assert!(matches!(none, Error::Empty { .. }));
}

#[test]
fn a_bad_result_takes_neither_its_driver_nor_other_results_of_it_along() {
    let stage = Stage::new();
    let driving = stage.directories.driving.join("talk.mp4");
    stage.result("good.mp4", 1, &TIMES);
    stage.result("other.mp4", 2, &TIMES);
    std::fs::write(stage.directories.results.join("bad.mp4"), b"no video").unwrap();
    let portrait = stage.directories.portraits.join("bert.png");
    let pair = |name: &str, truth: bool| Pair {
        name: name.into(),
        result: stage.directories.results.join(format!("{name}.mp4")),
        portrait: Some(portrait.clone()),
        driving: driving.clone(),
        truth,
    };
    let pairs = [pair("bad", true), pair("good", true), pair("other", false)];
    let evaluation = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    let names: Vec<&str> = evaluation.pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!((names, evaluation.failures.len()), (vec!["good", "other"], 1));
    let counted = |key: &str| (evaluation.summary[key].pairs, evaluation.summary[key].of);
    assert_eq!(
        (counted("psnr"), counted("landmarks"), counted("gaze")),
        ((1, 2), (1, 2), (2, 3)),
        "of those that have a truth"
    );
    assert!(evaluation.pairs[0].values.contains_key("psnr") && !evaluation.pairs[1].values.contains_key("psnr"));
    let driverless = pair_with_bad_driver(&stage);
    let none = stage.evaluate_motion(&[driverless], &stage.options()).unwrap_err();
    assert!(none.to_string().contains("broken.mp4"), "the message names the file that is bad: {none}");
}

fn pair_with_bad_driver(stage: &Stage) -> Pair {
    let driving = stage.directories.driving.join("broken.mp4");
    std::fs::write(&driving, b"no video").unwrap();
    let result = stage.directories.results.join("good.mp4");
    Pair { name: "driverless".into(), result, portrait: None, driving, truth: true }
}

#[test]
fn a_driver_of_several_results_is_decoded_once_and_all_are_compared_with_it() {
    let stage = Stage::new();
    let pair = |name: &str, times: &[u32]| {
        stage.result(&format!("{name}.mp4"), 1, times);
        let result = stage.directories.results.join(format!("{name}.mp4"));
        Pair {
            name: name.into(),
            result,
            portrait: None,
            driving: stage.directories.driving.join("talk.mp4"),
            truth: true,
        }
    };
    let pairs = [pair("step1000", &TIMES), pair("step2000", &TIMES[..7]), pair("step3000", &[1; 12])];
    let together = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    assert_eq!(together.work.decoded_files, 4);
    for pair in &pairs {
        let alone = EvaluationOptions { keep: None, ..stage.options() };
        let alone = stage.evaluate_motion(std::slice::from_ref(pair), &alone).unwrap();
        assert_eq!(alone.pairs[0], *self::pair(&together, &pair.name));
    }
    assert_eq!(together.pairs[1].series["psnr"].len(), 7);
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
    let face = support::drawn(1.0);
    let distances =
        face.landmarks.iter().map(|[x, ..]| (f64::from(*x) * (width - canvas) - (width - canvas) / 2.0).abs());
    let [right, left] = [33, 263].map(|i: usize| face.landmarks[i]);
    let eyes = (f64::from(right[0] - left[0]) * width).hypot(f64::from(right[1] - left[1]) * 160.0);
    let expected = distances.sum::<f64>() / face.landmarks.len() as f64 / eyes;
    assert!((measured - expected).abs() < 1e-3 * expected, "{measured} instead of {expected}");
}

/// An extractor that does not keep its promises.
struct Careless(&'static str, usize);

impl FeatureExtractor for Careless {
    fn name(&self) -> &str {
        self.0
    }

    fn frames(&self) -> usize {
        self.1
    }

    fn width(&self) -> usize {
        2
    }

    fn features(&self, stretches: &[&[Frame]]) -> Result<Vec<Vec<f32>>> {
        Ok(match self.0 {
            "short" => vec![vec![0.0; 2]; stretches.len() - 1],
            "narrow" => vec![vec![0.0]; stretches.len()],
            _ => vec![vec![0.0, f32::NAN]; stretches.len()],
        })
    }
}

#[test]
fn judges_whose_numbers_would_be_taken_for_others_are_refused() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let run = |change: &dyn Fn(&mut Judges<'static>)| {
        let mut judges = judges(vec![embedder()]);
        change(&mut judges);
        evaluate(&pairs, &judges, &stage.options(), Progress::none()).unwrap_err()
    };
    let refused = |change: &dyn Fn(&mut Judges<'static>), said: &str| {
        let error = run(change);
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(said), "{error}");
    };
    refused(&|judges| judges.identity.push(embedder()), "ArcFace");
    refused(&|judges| judges.features.push(Box::new(Places { frames: 1 })), "places");
    refused(&|judges| judges.features.push(Box::new(Careless("no word", 1))), "no word");
    refused(&|judges| judges.features.push(Box::new(Careless("empty", 0))), "no frame");
    let fid = InceptionExtractor::new(InceptionConfig::default().init(&stage.device), &stage.device);
    refused(&|judges| judges.a1_inception = Some(fid.clone()), "torchvision");
    // What an extractor gives is looked at before it is used.
    for name in ["short", "narrow", "nan"] {
        let error = run(&|judges| judges.features.push(Box::new(Careless(name, 1)))).to_string();
        assert!(error.contains(name), "{error}");
    }
    let twice = [pairs[0].clone(), pairs[0].clone()];
    let error = evaluate(&twice, &judges(vec![embedder()]), &stage.options(), Progress::none()).unwrap_err();
    assert!(error.to_string().contains("two are called"), "{error}");
}

#[test]
fn a_stopped_run_goes_on_where_it_was() {
    let stage = Stage::new();
    for name in ["anna__talk.mp4", "bert__talk.mp4", "anna__sing.mp4"] {
        stage.result(name, 1, &TIMES);
    }
    let pairs = stage.directories.pairs_by_name().unwrap();
    let judges = judges(Vec::new());
    let seen = AtomicUsize::new(0);
    let stop = |event: Event| {
        seen.fetch_max(event.done as usize, Ordering::Relaxed);
        if event.done >= 4 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    };
    let options = EvaluationOptions { jobs: 1, ..stage.options() };
    let stopped = evaluate(&pairs, &judges, &options, Progress::new(&stop)).unwrap_err();
    assert!(stopped.is_cancelled() && seen.into_inner() >= 4, "{stopped}");
    let resumed = evaluate(&pairs, &judges, &options, Progress::none()).unwrap();
    assert!(resumed.work.kept_files >= 4 && resumed.work.decoded_files > 0, "{:?}", resumed.work);
    let mut whole = evaluate(&pairs, &judges, &EvaluationOptions { keep: None, ..options }, Progress::none()).unwrap();
    whole.work = resumed.work;
    assert_eq!(resumed, whole);
}

#[test]
fn the_table_has_a_line_for_each_pair_and_a_column_for_each_number() {
    let stage = Stage::new();
    stage.result("anna__talk.mp4", 1, &TIMES);
    let pairs = stage.directories.pairs_by_name().unwrap();
    let evaluation = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    let table = csv(&evaluation);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), 4 + evaluation.summary.len() + 1, "name, truth, frames, numbers and the failure");
    assert_eq!((lines[1].len(), lines[1][0]), (lines[0].len(), "\"anna__talk\""));
    let column = lines[0].iter().position(|name| *name == "blendshape_l1").unwrap();
    assert_eq!(lines[1][column].parse::<f64>().unwrap(), evaluation.pairs[0].values["blendshape_l1"]);
    let known: Vec<&str> = METRICS.iter().map(|metric| metric.key).collect();
    assert!(evaluation.pairs[0].values.keys().all(|key| known.contains(&key.as_str())), "no number without a name");
}

#[test]
fn an_interval_holds_the_mean_and_shrinks_with_more_clips() {
    let values = |count: usize| (0..count).map(|i| (i % 7) as f64).collect::<Vec<_>>();
    let few = bootstrap_mean(&values(14), 500, 3).unwrap();
    let many = bootstrap_mean(&values(700), 500, 3).unwrap();
    assert!(few.low < 3.0 && 3.0 < few.high && many.low < 3.0 && 3.0 < many.high);
    assert!(many.high - many.low < (few.high - few.low) / 3.0);
    // For two values the means are 0, 1/2 and 1 with chances 1/4, 1/2, 1/4.
    let two = bootstrap_mean(&[0.0, 1.0], 2000, 1).unwrap();
    assert_eq!((two.low, two.high), (0.0, 1.0));
    assert_eq!(bootstrap_mean(&[2.0], 10, 0).unwrap().low, 2.0);
    assert!(matches!(bootstrap_mean(&[], 10, 0), Err(Error::Empty { .. })));
    assert!(matches!(bootstrap_mean(&[1.0, f64::NAN], 10, 0), Err(Error::NotFinite { .. })));
}
