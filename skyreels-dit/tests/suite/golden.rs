//! The original's answers, on both CPU backends.

#![allow(deprecated)]

use std::path::{Path, PathBuf};

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_dit::golden;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

/// Files of our kinds in a directory.
fn files(directory: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| is_ours(path)).collect();
    files.sort();
    files
}

/// Files of our kinds that every clone has.
fn committed_files() -> Vec<PathBuf> {
    [files(COMMITTED), files(OWN)].concat()
}

/// Files that are not committed; `None` when their directory is absent.
fn other_files() -> Option<Vec<PathBuf>> {
    if !Path::new(SHARED).exists() {
        println!("skipped: {SHARED} is absent");
        return None;
    }
    let committed = |path: &PathBuf| Path::new(COMMITTED).join(path.file_name().unwrap()).exists();
    Some(files(SHARED).into_iter().filter(|path| !committed(path)).collect())
}

fn is_ours(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    is_json && golden::KINDS.contains(&Golden::open(path).unwrap().kind())
}

fn run_all(files: &[PathBuf], device: &Device) {
    assert!(!files.is_empty(), "there is no golden file to run");
    for path in files {
        let file = Golden::open(path).unwrap();
        let report = golden::run(&file, device).unwrap();
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn an_answer_of_every_network_is_committed() {
    let kinds: Vec<String> =
        committed_files().iter().map(|path| Golden::open(path).unwrap().kind().to_string()).collect();
    assert!(golden::KINDS.iter().all(|kind| kinds.iter().any(|found| found == kind)), "{kinds:?}");
}

#[test]
fn committed_answers_are_met_on_flex() {
    run_all(&committed_files(), &Device::flex());
}

#[test]
fn committed_answers_are_met_on_ndarray() {
    run_all(&committed_files(), &Device::ndarray());
}

#[test]
fn all_other_answers_are_met_on_flex() {
    let Some(files) = other_files() else { return };
    run_all(&files, &Device::flex());
}

#[test]
fn all_other_answers_are_met_on_ndarray() {
    let Some(files) = other_files() else { return };
    run_all(&files, &Device::ndarray());
}

#[test]
fn a_file_of_another_kind_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    let text = std::fs::read_to_string(format!("{COMMITTED}/siglip.json")).unwrap();
    std::fs::write(&path, text.replace("\"kind\": \"siglip\"", "\"kind\": \"opera\"")).unwrap();
    std::fs::copy(format!("{COMMITTED}/siglip.safetensors"), path.with_extension("safetensors")).unwrap();
    let error = golden::run(&Golden::open(&path).unwrap(), &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("`opera`"), "{error}");
}

#[test]
fn a_wrong_epsilon_fails_the_comparison() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    let text = std::fs::read_to_string(format!("{COMMITTED}/dit_eps.json")).unwrap();
    std::fs::write(&path, text.replace("\"norm_eps\": 1e-05", "\"norm_eps\": 1e-06")).unwrap();
    std::fs::copy(format!("{COMMITTED}/dit_eps.safetensors"), path.with_extension("safetensors")).unwrap();
    let report = golden::run(&Golden::open(&path).unwrap(), &Device::flex()).unwrap();
    assert!(!report.passed());
}
