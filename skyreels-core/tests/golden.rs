//! The schedules against the original's numbers, on every CPU backend.

use std::path::{Path, PathBuf};

use skyreels_core::golden::{Golden, run_scheduler};
use skyreels_core::{Device, open_device};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");

fn backends() -> Vec<Device> {
    ["cpu", "ndarray"].map(|name| open_device(name).unwrap()).into()
}

fn golden(name: &str) -> PathBuf {
    Path::new(COMMITTED).join(name)
}

#[test]
fn schedules_and_samplers_give_the_numbers_of_the_original() {
    let golden = Golden::open(golden("scheduler.json")).unwrap();
    for device in backends() {
        let report = run_scheduler(&golden, &device).unwrap();
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_wrong_schedule_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden("scheduler.json")).unwrap();
    let shifted = text.replace("\"snr_shift_scale\": 1.0", "\"snr_shift_scale\": 1.001");
    assert_ne!(text, shifted);
    std::fs::write(directory.path().join("other-name.json"), shifted).unwrap();
    std::fs::copy(golden("scheduler.safetensors"), directory.path().join("other-name.safetensors")).unwrap();
    let golden = Golden::open(directory.path().join("other-name.json")).unwrap();
    let report = run_scheduler(&golden, &open_device("cpu").unwrap()).unwrap();
    assert!(!report.passed(), "{report}");
}
