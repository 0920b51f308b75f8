//! The original's answers.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use skyreels_core::golden::Golden;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

fn files(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = Path::new(folder).read_dir() else {
        println!("skipped: {folder} is not here");
        return Vec::new();
    };
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_json).collect();
    paths.sort();
    paths
}

/// Runs the files of this network and returns how many there were.
fn run_all(folder: &str, device: &Device) -> usize {
    let mut count = 0;
    for path in files(folder) {
        let Ok(file) = Golden::open(&path) else { continue };
        if file.kind() == "vae" {
            let report = skyreels_vae::golden::run(&file, device).unwrap();
            println!("{report}");
            assert!(report.passed(), "{report}");
            count += 1;
        }
    }
    count
}

fn device(name: &str) -> Device {
    skyreels_core::device::open(name).unwrap()
}

#[test]
fn committed_golden_files_pass_on_flex() {
    assert!(run_all(COMMITTED, &device("cpu")) >= 1, "the repository holds golden files of this network");
}

#[test]
fn committed_golden_files_pass_on_ndarray() {
    assert!(run_all(COMMITTED, &device("ndarray")) >= 1);
}

#[test]
fn every_golden_file_passes_on_flex() {
    run_all(SHARED, &device("cpu"));
}

#[test]
fn every_golden_file_passes_on_ndarray() {
    run_all(SHARED, &device("ndarray"));
}
