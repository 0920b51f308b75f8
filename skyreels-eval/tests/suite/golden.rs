//! Networks and distances beside the originals'.

use std::path::Path;

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_eval::golden;

fn equals_the_original_on(name: &str, device: &Device) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra")).join(name);
    if !path.with_extension("json").exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let file = Golden::open(&path).unwrap();
    let report = golden::run(&file, device).unwrap();
    println!("{report}");
    assert!(report.passed(), "{report}");
}

#[allow(deprecated, reason = "a second backend that needs nothing installed")]
fn devices() -> [Device; 2] {
    [Device::flex(), Device::ndarray()]
}

#[test]
fn arcface_of_50_layers_equals_the_original() {
    devices().iter().for_each(|device| equals_the_original_on("arcface_r50", device));
}

#[test]
fn arcface_of_100_layers_equals_the_original() {
    devices().iter().for_each(|device| equals_the_original_on("arcface_r100", device));
}

#[test]
fn curricularface_equals_the_original() {
    devices().iter().for_each(|device| equals_the_original_on("curricularface_ir101", device));
}

#[test]
fn the_inception_of_the_fid_equals_pytorch_fid() {
    devices().iter().for_each(|device| equals_the_original_on("fid_inception", device));
}

#[test]
fn the_inception_of_the_released_script_equals_torchvision() {
    devices().iter().for_each(|device| equals_the_original_on("a1_inception", device));
}

#[test]
fn distances_of_sets_equal_the_exact_ones_and_pytorch_fid() {
    equals_the_original_on("frechet_distance", &Device::flex());
}

#[test]
fn every_variant_of_the_distance_equals_its_original() {
    equals_the_original_on("frechet_variants", &Device::flex());
}
