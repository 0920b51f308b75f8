//! Tuning runs every stage, on a device with nothing to tune too.

use skyreels::core::{Limits, Progress, open_device};
use skyreels::model::write_published_configs;
use skyreels::tune::{TuneOptions, Tuner};
use skyreels::{ModelDir, Preset};

use crate::common::{accepted, events, refused, says, tiny};

#[test]
fn every_stage_is_run_and_its_first_run_reported_apart() {
    let directory = tempfile::tempdir().unwrap();
    let (out, _) = accepted(directory.path(), "--json tune --device cpu --sizes tiny --frames 9 --size 64x96 --runs 2");
    let events = events(&out);
    let timings: Vec<_> = events.iter().filter(|event| event["event"] == "timing").collect();
    let stages: Vec<_> = timings.iter().map(|event| event["timing"]["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["guide", "portrait", "face", "denoise", "decode"]);
    for event in &timings {
        let number = |name: &str| event["timing"][name].as_f64().unwrap();
        assert!(number("first") > 0.0 && number("steady") > 0.0 && number("flops") > 0.0, "{event}");
        let rate = event["flops_per_second"].as_f64().unwrap();
        assert!((rate * number("steady") / number("flops") - 1.0).abs() < 1e-9);
    }
    let done = events.iter().find(|event| event["event"] == "done").unwrap();
    let sum = |name: &str| timings.iter().map(|event| event["timing"][name].as_f64().unwrap()).sum::<f64>();
    for name in ["first", "steady"] {
        assert!((done[name].as_f64().unwrap() - sum(name)).abs() < 1e-9);
    }
    assert!(done["cache"]["directory"].is_string(), "{done}");
    assert_eq!(done["size"], serde_json::json!([9, 64, 96]));
}

#[test]
fn weights_of_a_checkpoint_are_not_needed() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    std::fs::remove_file(model.join("transformer/diffusion_pytorch_model.safetensors")).unwrap();
    let line = "tune --device cpu --model {}/tiny --frames 9 --size 64x96 --runs 1 --int8 --batched-guidance";
    let (out, _) = accepted(directory.path(), line);
    says(&out, &["denoise", "GFLOP/s", "all stages: first", "nothing to tune"]);
}

#[test]
fn what_cannot_be_tuned_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let tune = |options: &str| refused(directory.path(), &format!("tune --device cpu --sizes tiny {options}"));
    says(&tune("--runs 0"), &["runs", "1 or more"]);
    says(&tune("--size 90x100"), &["90x100", "multiple of 16"]);
    says(&tune("--frames 10"), &["frames"]);
    says(&tune("--runs 18446744073709551615"), &["1000"]);
}

#[test]
fn the_published_sizes_are_those_of_the_published_work() {
    let directory = tempfile::tempdir().unwrap();
    write_published_configs(directory.path()).unwrap();
    let model = ModelDir::open(directory.path(), &Limits::default()).unwrap();
    let device = open_device("cpu").unwrap();
    let tuner = Tuner::new(&model, &device, TuneOptions::default()).unwrap();
    assert_eq!(tuner.size(), [49, 480, 720]);
    let forward = model.transformer.flops(1, [13, 60, 90], model.siglip.tokens()).unwrap() as f64;
    assert!((forward / 346.4e12 - 1.0).abs() < 0.01, "{forward:e}");
}

#[test]
fn a_stage_can_be_cancelled() {
    let (directory, device) = (tempfile::tempdir().unwrap(), open_device("cpu").unwrap());
    Preset::Tiny.write(directory.path(), 0, &device, Progress::none()).unwrap();
    let model = ModelDir::open(directory.path(), &Limits::default()).unwrap();
    let options = TuneOptions { size: Some([9, 64, 96]), ..TuneOptions::default() };
    let tuner = Tuner::new(&model, &device, options).unwrap();
    let stop = |event: skyreels::core::Event| match event.stage {
        "denoise" => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    };
    assert!(tuner.all(Progress::new(&stop)).unwrap_err().is_cancelled());
}
