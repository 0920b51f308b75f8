//! Our drawings beside the original's.

use std::path::Path;

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_landmarks::golden;

fn equals_the_original(name: &str) {
    equals_the_original_on(name, &Device::flex());
}

#[allow(deprecated, reason = "a second backend that needs nothing installed")]
fn equals_the_original_on_both_backends(name: &str) {
    for device in [Device::flex(), Device::ndarray()] {
        equals_the_original_on(name, &device);
    }
}

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

#[test]
fn lines_and_circles_equal_opencv() {
    equals_the_original("draw_lines");
}

#[test]
fn the_first_frame_of_the_guide_equals_the_original() {
    equals_the_original("draw_guide2d");
}

#[test]
fn every_other_2d_drawing_equals_the_original() {
    equals_the_original("draw_guide2d_more");
}

#[test]
fn retargeted_frames_of_the_guide_equal_the_original() {
    equals_the_original("draw_guide3d");
}

#[test]
fn pupils_equal_the_original() {
    equals_the_original("draw_render");
}

#[test]
fn smirk_equals_the_original() {
    equals_the_original_on_both_backends("smirk");
}

#[test]
fn the_crop_that_smirk_looks_at_equals_the_original() {
    equals_the_original("smirk_crop");
}

#[test]
fn flame_equals_the_original() {
    equals_the_original("flame");
}

#[test]
fn rotations_projection_and_normals_equal_the_original() {
    equals_the_original("pose_math");
}

#[test]
fn retinaface_equals_the_original() {
    equals_the_original_on_both_backends("retinaface_r50");
}
