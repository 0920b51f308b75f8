//! What is timed against the PyTorch original is the same work: its results are compared first.

use serde_json::Value;
use skyreels_benches::{CASES, Work, root_mean_square};
use skyreels_core::open_device;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/peer/bench_peer.json");
/// The peer's file holds its first values rounded to six digits.
const ROUNDING: f64 = 1e-6;

#[test]
fn every_case_gives_the_result_of_the_original() {
    let Ok(text) = std::fs::read_to_string(PEER) else {
        println!("skipped: {PEER} is not there");
        return;
    };
    let peer: Value = serde_json::from_str(&text).unwrap();
    let device = open_device("cpu").unwrap();
    for (name, case) in CASES {
        let check = &peer["cases"][name]["check"];
        let results = Work::new(case, &device).unwrap().run().unwrap();
        assert_eq!(results.len(), check.as_object().unwrap().len(), "{name}");
        for (index, ours) in results.iter().enumerate() {
            let check = &check[format!("out{index}")];
            let (rms, theirs) = (root_mean_square(ours), check["rms"].as_f64().unwrap());
            assert!((rms / theirs - 1.0).abs() < 1e-5, "{name}, result {index}: {rms} {theirs}");
            for (ours, theirs) in ours.iter().zip(check["first"].as_array().unwrap()) {
                let theirs = theirs.as_f64().unwrap();
                let difference = (f64::from(*ours) - theirs).abs();
                assert!(
                    difference < ROUNDING + 1e-5 * theirs.abs().max(rms),
                    "{name}, result {index}: {ours} {theirs}"
                );
            }
        }
    }
}
