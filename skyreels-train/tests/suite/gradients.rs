//! The original's gradients, on both CPU backends.

#![allow(deprecated)]

use std::path::Path;

use skyreels_core::Device;
use skyreels_core::golden::Golden;
use skyreels_train::golden;

fn gradients_are_met(device: &Device) {
    for directory in ["/../tests/golden", "/../../shared/golden"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&directory[1..]).join("dit_tiny_grad.json");
        if !path.exists() {
            println!("skipped: {} is absent", path.display());
            continue;
        }
        let report = golden::run(&Golden::open(path).unwrap(), device).unwrap();
        println!("{report}");
        assert!(report.passed(), "{report}");
        return;
    }
}

#[test]
fn the_transformers_gradients_are_met_on_flex() {
    gradients_are_met(&Device::flex());
}

#[test]
fn the_transformers_gradients_are_met_on_ndarray() {
    gradients_are_met(&Device::ndarray());
}
