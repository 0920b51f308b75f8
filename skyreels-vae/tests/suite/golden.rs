//! The original's answers.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use skyreels_core::golden::Golden;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

/// The files of this network in a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let is_ours = |path: &PathBuf| Golden::open(path).unwrap().kind() == "vae";
    let entries = Path::new(folder).read_dir().unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_json).filter(is_ours).collect();
    paths.sort();
    paths
}

/// Runs all files of this network in a folder, of which there must be some.
fn run_all(folder: &str, device: &Device) {
    let files = files(folder);
    assert!(!files.is_empty(), "{folder} holds no golden file of this network");
    for path in files {
        let report = skyreels_vae::golden::run(&Golden::open(&path).unwrap(), device).unwrap();
        println!("{report}");
        assert!(report.passed(), "{report}");
    }
}

/// The same where the folder is there.
fn run_shared(device: &Device) {
    if Path::new(SHARED).exists() {
        run_all(SHARED, device);
    } else {
        println!("skipped: {SHARED} is not here");
    }
}

fn device(name: &str) -> Device {
    skyreels_core::device::open(name).unwrap()
}

#[test]
fn committed_golden_files_pass_on_flex() {
    run_all(COMMITTED, &device("cpu"));
    run_all(OWN, &device("cpu"));
}

#[test]
fn committed_golden_files_pass_on_ndarray() {
    run_all(COMMITTED, &device("ndarray"));
    run_all(OWN, &device("ndarray"));
}

#[test]
fn every_golden_file_passes_on_flex() {
    run_shared(&device("cpu"));
}

#[test]
fn every_golden_file_passes_on_ndarray() {
    run_shared(&device("ndarray"));
}

#[test]
fn an_input_of_another_rank_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    std::fs::copy(format!("{COMMITTED}/vae_eps.json"), &path).unwrap();
    let mut bytes = std::fs::read(format!("{COMMITTED}/vae_eps.safetensors")).unwrap();
    let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut text: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
    let name = text.as_object().unwrap().keys().find(|key| key.starts_with("in.")).unwrap().clone();
    let shape = text[&name]["shape"].as_array().unwrap();
    let count: u64 = shape.iter().map(|side| side.as_u64().unwrap()).product();
    text[&name]["shape"] = serde_json::json!([count]);
    let text = serde_json::to_vec(&text).unwrap();
    bytes.splice(..8 + header, (text.len() as u64).to_le_bytes().into_iter().chain(text));
    std::fs::write(path.with_extension("safetensors"), bytes).unwrap();
    let error = skyreels_vae::golden::run(&Golden::open(&path).unwrap(), &device("cpu")).unwrap_err().to_string();
    assert!(error.contains("instead of 5"), "{error}");
}
