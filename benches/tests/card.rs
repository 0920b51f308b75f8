//! What is run on a card is run here at tiny sizes.

use std::process::{Command, Output};

use serde_json::Value;
use skyreels_benches::{CASES, Case, Work};
use skyreels_core::open_device;

fn card(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_card")).args(arguments.split_whitespace()).output().unwrap()
}

#[test]
fn every_stage_of_a_clip_is_timed() {
    let scratch = tempfile::tempdir().unwrap();
    let arguments = format!("--device cpu --sizes tiny --runs 1 --peak 0.5 --scratch {}", scratch.path().display());
    let output = card(&arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let stages: Vec<&str> =
        report["timings"].as_array().unwrap().iter().map(|timing| timing["stage"].as_str().unwrap()).collect();
    let steps = ["step, batched", "step, sequential", "step, int8 blocks"];
    assert_eq!(stages, [&["attention", "guide", "portrait", "face"][..], &steps, &["decode"]].concat());
    for stage in stages {
        assert!(text.contains(&format!("| {stage} |")), "{text}");
    }
    assert!(text.contains(" % |") && text.contains("peak: "), "{text}");
    assert!(report["load"]["bytes"].as_u64().unwrap() > 10_000 && report["load"]["seconds"].as_f64().unwrap() > 0.0);
    // Nothing of the written checkpoint is left.
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn what_it_does_not_know_is_refused() {
    for arguments in ["--sizes huge", "--runs 0", "--device quantum", "--runs"] {
        assert!(!card(arguments).status.success(), "{arguments}");
    }
}

#[test]
fn the_work_compared_with_the_peer_is_counted() {
    let device = open_device("cpu").unwrap();
    for (name, case) in CASES {
        let gflop = Work::new(case, &device).unwrap().flops() as f64 / 1e9;
        // 2649 tokens through 8 blocks of 512: projections and feed-forward 12 x 512 x 512, scores and values 2 x 2649 x 512.
        if case == Case::DitForward {
            let blocks = 2.0 * 8.0 * 2649.0 * (12.0 * 512.0 * 512.0 + 2.0 * 2649.0 * 512.0) / 1e9;
            assert!(gflop > blocks && gflop < 1.1 * blocks, "{gflop} {blocks}");
        }
        assert!(gflop > 1.0, "{name}: {gflop}");
    }
}
