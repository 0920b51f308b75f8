//! Which files an evaluation reads, how often, and what a bad one costs.

use std::sync::atomic::{AtomicUsize, Ordering};

use skyreels_core::{Event, Progress};
use skyreels_eval::{Error, EvaluationOptions, Pair, csv, evaluate, page};

use crate::support::stage::{Stage, TIMES, embedder, judges};

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
    // recognition network, and both through Inception, one picture at a time; here whole clips go through at once, and
    // references once for all. Every frame has to be seen: of single pictures no more than half can be saved.
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
    assert_eq!(evaluation.work.decoded_files, 4, "the driver, its good results and the portrait, each once");
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
        assert_eq!(alone.pairs[0], *crate::support::stage::pair(&together, &pair.name));
    }
    assert_eq!(together.pairs[1].series["psnr"].len(), 7);
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
fn files_that_are_compared_in_chains_are_decoded_once() {
    let stage = Stage::new();
    let file = |name: &str| stage.directories.driving.join(name);
    let times = [2, 3, 4, 5, 6, 7, 8, 9, 8, 7];
    for name in ["hum.mp4", "cry.mp4"] {
        crate::support::stage::clip(&file(name), 1, &times);
    }
    let pair = |name: &str, result: &str, driving: &str| Pair {
        name: name.into(),
        result: file(result),
        portrait: None,
        driving: file(driving),
        truth: true,
    };
    // Two groups, until the last pair makes one of them.
    let pairs = [
        pair("a", "talk.mp4", "sing.mp4"),
        pair("b", "hum.mp4", "cry.mp4"),
        pair("c", "hum.mp4", "hum.mp4"),
        pair("d", "talk.mp4", "cry.mp4"),
        pair("e", "sing.mp4", "talk.mp4"),
    ];
    let together = stage.evaluate_motion(&pairs, &stage.options()).unwrap();
    assert_eq!((together.work.decoded_files, together.work.frames), (4, 40));
    for pair in &pairs {
        let alone = EvaluationOptions { keep: None, ..stage.options() };
        let alone = stage.evaluate_motion(std::slice::from_ref(pair), &alone).unwrap();
        assert_eq!(alone.pairs[0], *crate::support::stage::pair(&together, &pair.name));
    }
}
