//! Training as a person runs it.

use std::fs;
use std::path::Path;

use crate::common::{accepted, events, names, refused, says, tiny};

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
    let run =
        format!("{} --model {} -o {{}}/out.mp4", crate::common::demo(1), place.join("whole/step_00000003").display());
    accepted(place, &run);
    assert!(place.join("out.mp4").is_file());
}

#[test]
fn a_lora_is_trained_beside_the_model_and_added_when_that_animates() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    config(place, "base.toml", "diffusion", "transformer.proj_out.*", 3);
    // What lies over it trains factors in the place of that, for fewer steps.
    let over = "[run]\nvalidate_every = 0\n[[run.stages]]\nsteps = 2\nparameters = { train = [] }\n\
                learning_rate = { peak = 0.1 }\nlora = { rank = 2, alpha = 4.0 }\n";
    fs::write(place.join("lora.toml"), over).unwrap();
    let command = "train --config {}/base.toml --with {}/lora.toml --seed 5 -o {}/run --json";
    let (out, _) = accepted(place, command);
    let events = events(&out);
    assert_eq!(events.iter().filter(|event| event["event"] == "step").count(), 2);
    let lora = place.join("run/step_00000002/pytorch_lora_weights.safetensors");
    let done = events.iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!(done["lora"], lora.to_str().unwrap());
    says(&fs::read_to_string(place.join("run/step_00000002/training_state/state.json")).unwrap(), &["\"seed\": 5"]);

    let latents = |options: &str, kept: &str| {
        let run = format!(
            "{} --model {{}}/tiny {options} --keep-intermediates {{}}/{kept} -o {{}}/out.mp4",
            crate::common::demo(1)
        );
        accepted(place, &run);
        fs::read(place.join(kept).join("latents.safetensors")).unwrap()
    };
    let plain = latents("", "plain");
    assert!(latents(&format!("--lora {}:0", lora.display()), "none") == plain, "a strength of 0 is none");
    assert!(latents(&format!("--lora {}", lora.display()), "with") != plain);

    let refuse = |file: &str| {
        let run = format!("{} --model {{}}/tiny --lora {file} -o {{}}/refused.mp4", crate::common::demo(1));
        refused(place, &run)
    };
    says(&refuse("{}/absent.safetensors"), &["absent.safetensors"]);
    says(&refuse("{}/tiny/transformer/diffusion_pytorch_model.safetensors"), &["lora_A"]);
    says(&refuse(&format!("{}:nan", lora.display())), &["strength"]);
    // Before anything is computed, not when the denoiser is loaded.
    says(&refuse(&format!("{} --int8", lora.display())), &["lora", "plain weights"]);
    let little = refuse(&format!("{} --memory 1", lora.display()));
    says(&little, &["1 MiB are free", "fewer `--frames`"]);
    assert!(!little.contains("int8"), "what a LoRA does not go with is no advice: {little}");
}

#[test]
fn configurations_that_make_no_run_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    tiny(place);
    config(place, "typo.toml", "diffusion", "transformer.patch_embd.*", 2);
    let error = crate::common::run(place, "train --config {}/typo.toml -o {}/typo");
    assert_eq!(error.status.code(), Some(2));
    says(&String::from_utf8_lossy(&error.stderr), &["transformer.patch_embd.*", "keys look like"]);
    fs::write(place.join("bad.toml"), "model = \"tiny\"\nstages = 3\n").unwrap();
    says(&refused(place, "train --config {}/bad.toml -o {}/bad"), &["bad.toml", "stages"]);
    fs::write(place.join("bad.json"), "{\"model\": \"tiny\"").unwrap();
    says(&refused(place, "train --config {}/bad.json -o {}/bad"), &["bad.json"]);
    says(&refused(place, "train --config {}/absent.toml -o {}/bad"), &["absent.toml"]);
    fs::write(place.join("over.toml"), "[run]\nsteps = 3\n").unwrap();
    says(&refused(place, "train --config {}/typo.toml --with {}/over.toml -o {}/bad"), &["over.toml", "steps"]);
}
