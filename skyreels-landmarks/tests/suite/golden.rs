//! Our drawings, networks and formulas beside the original's.

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
    let committed = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(name);
    let shared = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra")).join(name);
    let path = if committed.with_extension("json").exists() { committed } else { shared };
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
    equals_the_original_on_both_backends("smirk_crop");
}

#[test]
fn flame_equals_the_original() {
    equals_the_original_on_both_backends("flame");
}

#[test]
fn rotations_projection_and_normals_equal_the_original() {
    equals_the_original_on_both_backends("pose_math");
}

#[test]
fn retinaface_equals_the_original() {
    equals_the_original_on_both_backends("retinaface_r50");
}

#[test]
fn what_scrfd_says_becomes_the_faces_of_the_original() {
    equals_the_original_on_both_backends("scrfd_decode");
}

#[test]
fn aligned_faces_equal_the_original() {
    equals_the_original_on_both_backends("face_align");
}

#[test]
fn weighted_suppression_equals_the_original() {
    equals_the_original_on_both_backends("weighted_nms");
}

#[test]
fn the_scrfd_network_equals_one_in_pytorch() {
    equals_the_original_on_both_backends("scrfd_small");
}

/// A copy of the small SCRFD file with one number of its description changed.
fn with_another(pointer: &str, value: serde_json::Value) -> Result<skyreels_core::golden::Report, String> {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/scrfd_small"));
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("another-name");
    let text = std::fs::read(source.with_extension("json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_slice(&text).unwrap();
    *json.pointer_mut(pointer).unwrap() = value;
    std::fs::write(copy.with_extension("json"), json.to_string()).unwrap();
    std::fs::copy(source.with_extension("safetensors"), copy.with_extension("safetensors")).unwrap();
    golden::run(&Golden::open(&copy).unwrap(), &Device::flex()).map_err(|error| error.to_string())
}

#[test]
fn a_description_of_weights_that_is_damaged_or_of_another_network_is_noticed() {
    assert!(with_another("/note", "another note".into()).unwrap().passed());
    let damaged = with_another("/weights_recipe/tensors/0/amp", 0.5.into()).unwrap_err();
    assert!(damaged.contains("checksum") && damaged.contains("backbone.stem.0.weight"), "{damaged}");
    let renamed = with_another("/weights_recipe/tensors/0/key", "backbone.stem.9.weight".into()).unwrap_err();
    assert!(renamed.contains("backbone.stem.0.weight") && renamed.contains("backbone.stem.9.weight"), "{renamed}");
    let wider = with_another("/config/head", 13.into()).unwrap_err();
    assert!(wider.contains("bbox_head.stride_cls.(8, 8).weight"), "{wider}");
}
