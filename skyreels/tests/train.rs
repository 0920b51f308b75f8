//! Training as a person runs it.

mod common;

use std::fs;
use std::path::Path;

use common::{accepted, events, names, refused, says, tiny};

/// A run of a few steps on the tiny model; `task` and `train` as the configuration has them.
fn config(place: &Path, name: &str, task: &str, train: &str, steps: u64) {
    let text = format!(
        "model = \"tiny\"\n[task.{task}]\nheld_out = 1\n[data.rendered]\nsize = [9, 96, 160]\nidentities = 2\nclips = 1\n\
         [run]\nseed = 3\nvalidate_every = 2\ncheckpoint_every = 2\n[[run.stages]]\nname = \"only\"\nsteps = {steps}\n\
         batch = 1\nparameters = {{ train = [\"{train}\"] }}\nlearning_rate = {{ peak = 1e-3 }}\nclip_norm = 1.0\n"
    );
    fs::write(place.join(name), text).unwrap();
}

#[test]
fn train_writes_a_model_that_animates_and_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    config(place, "vae.toml", "autoencoder", "vae.*", 2);
    let (out, _) = accepted(place, "train --config {}/vae.toml -o {}/vae --json");
    let steps = events(&out).iter().filter(|event| event["event"] == "step").count();
    assert_eq!(steps, 2);
    assert_eq!(names(&place.join("vae")), ["loss.csv", "loss.png", "samples", "step_00000002"]);
    assert_eq!(names(&place.join("vae/samples")), ["step_00000002.mp4"]);

    config(place, "two.toml", "diffusion", "transformer.*", 2);
    config(place, "three.toml", "diffusion", "transformer.*", 3);
    accepted(place, "train --config {}/three.toml -o {}/whole");
    accepted(place, "train --config {}/two.toml -o {}/parts");
    says(&refused(place, "train --config {}/three.toml -o {}/parts"), &["--resume"]);
    // The run is over with two steps; what it has learned is where another one begins.
    let model = place.join("parts/step_00000002");
    assert!(model.join("transformer/config.json").is_file());
    let run = format!("{} --model {} -o {{}}/out.mp4", common::demo(1), place.join("whole/step_00000003").display());
    accepted(place, &run);
    assert!(place.join("out.mp4").is_file());
}

#[test]
fn configurations_that_make_no_run_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    config(place, "typo.toml", "diffusion", "transformer.patch_embd.*", 2);
    let error = common::run(place, "train --config {}/typo.toml -o {}/typo");
    assert_eq!(error.status.code(), Some(2));
    says(&String::from_utf8_lossy(&error.stderr), &["transformer.patch_embd.*", "keys look like"]);
    fs::write(place.join("bad.toml"), "model = \"tiny\"\nstages = 3\n").unwrap();
    says(&refused(place, "train --config {}/bad.toml -o {}/bad"), &["bad.toml", "stages"]);
    fs::write(place.join("bad.json"), "{\"model\": \"tiny\"").unwrap();
    says(&refused(place, "train --config {}/bad.json -o {}/bad"), &["bad.json"]);
    says(&refused(place, "train --config {}/absent.toml -o {}/bad"), &["absent.toml"]);
}
