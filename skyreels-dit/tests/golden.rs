//! The original's answers, on both CPU backends.

#![allow(deprecated)]

use std::path::{Path, PathBuf};

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_dit::golden;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

/// Files of our kinds in a directory; none when it is absent.
fn files(directory: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        println!("skipped: {directory} is absent");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_ours(path)).collect();
    files.sort();
    files
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        && Golden::open(path).is_ok_and(|file| golden::KINDS.contains(&file.kind()))
}

fn run_all(directory: &str, device: &Device) -> usize {
    let files = files(directory);
    for path in &files {
        let file = Golden::open(path).unwrap();
        let report = golden::run(&file, device).unwrap();
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
    files.len()
}

#[test]
fn committed_answers_are_met_on_flex() {
    assert!(run_all(COMMITTED, &Device::flex()) >= 3);
}

#[test]
fn committed_answers_are_met_on_ndarray() {
    assert!(run_all(COMMITTED, &Device::ndarray()) >= 3);
}

#[test]
fn every_answer_is_met_on_flex() {
    run_all(SHARED, &Device::flex());
}

#[test]
fn every_answer_is_met_on_ndarray() {
    run_all(SHARED, &Device::ndarray());
}
