//! The schedules against the original's numbers, on every CPU backend.

use skyreels_core::golden::{Golden, run_scheduler};
use skyreels_core::{Device, open_device};

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

fn backends() -> Vec<Device> {
    ["cpu", "ndarray"].map(|name| open_device(name).unwrap()).into()
}

#[test]
fn schedules_and_samplers_give_the_numbers_of_the_original() {
    let path = format!("{SHARED}/scheduler.json");
    if !std::path::Path::new(&path).exists() {
        println!("skipped: {path} is not there");
        return;
    }
    let golden = Golden::open(path).unwrap();
    for device in backends() {
        let report = run_scheduler(&golden, &device).unwrap();
        assert!(report.passed(), "{report}");
    }
}
