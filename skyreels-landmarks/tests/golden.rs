//! Our drawings beside the original's.

use std::path::Path;

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_landmarks::golden;

fn equals_the_original(name: &str) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra")).join(name);
    if !path.with_extension("json").exists() {
        println!("skipped: {} is not there", path.display());
        return;
    }
    let file = Golden::open(&path).unwrap();
    let report = golden::run(&file, &Device::flex()).unwrap();
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
