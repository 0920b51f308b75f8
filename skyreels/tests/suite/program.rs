//! The program does what its help says.

use std::fs;

use serde_json::Value;
use skyreels::core::Limits;
use skyreels::core::media::VideoReader;

use crate::common::{GOLDEN, accepted, demo, events, refused, run, says, tiny};

#[test]
fn the_first_command_of_the_readme_makes_a_video() {
    let directory = tempfile::tempdir().unwrap();
    let (_, said) = accepted(directory.path(), &format!("{} --side-by-side -o {{}}/out.mp4", demo(2)));
    assert!(said.contains("trained on rendered people only"), "{said}");
    let video = VideoReader::open(directory.path().join("out.mp4"), &Limits::default()).unwrap();
    let info = *video.info();
    assert_eq!((info.width, info.height, info.frames), (3 * 144, 96, 15));
    assert_eq!(video.map(|frame| frame.unwrap().image.dimensions()).filter(|size| *size == (432, 96)).count(), 15);
}

#[test]
fn seed_sampler_and_guidance_decide_the_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = |options: &str| {
        accepted(directory.path(), &format!("{} --frames 9 {options} -o {{}}/out.mp4", demo(2)));
        fs::read(directory.path().join("out.mp4")).unwrap()
    };
    let first = bytes("--seed 1");
    assert_eq!(first, bytes("--seed 1"));
    for options in ["--seed 2", "--seed 1 --sampler dpm", "--seed 1 --guidance 1", "--seed 1 --dynamic-guidance"] {
        assert_ne!(first, bytes(options), "{options}");
    }
}

#[test]
fn reuse_says_what_it_has_saved_and_is_refused_where_it_means_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let animate = |options: &str| format!("--json {} --frames 9 {options} -o {{}}/out.gif", demo(4));
    let (out, _) = accepted(directory.path(), &animate("--reuse-unconditional 1..3 --block-cache 0.2"));
    let events = events(&out);
    let done = events.iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!((&done["work"]["passes"], &done["work"]["passes_saved"]), (&6.into(), &2.into()));
    assert!(events.iter().any(|event| event["text"].as_str().is_some_and(|text| text.contains("6 of 8 passes"))));
    fs::remove_file(directory.path().join("out.gif")).unwrap();
    for (options, parts) in [
        ("--reuse-unconditional 0..2", ["reuse-unconditional", "begin one step later"]),
        ("--skip-unconditional 2..5", ["skip-unconditional", "0..4"]),
        ("--skip-unconditional 2..3 --guidance 1", ["skip-unconditional", "guidance is off"]),
        ("--reuse-unconditional=3", ["reuse-unconditional", "FIRST..END"]),
        ("--block-cache=-1", ["block cache", "between 0 and 1"]),
    ] {
        says(&refused(directory.path(), &animate(options)), &parts);
    }
}

#[test]
fn a_run_is_fitted_into_the_memory_that_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let animate = |options: &str| format!("{} --frames 9 {options} -o {{}}/out.gif", demo(1));
    let (_, said) = accepted(directory.path(), &animate("--int8 --memory 4096"));
    says(&said, &["plan: 9 frames"]);
    fs::remove_file(directory.path().join("out.gif")).unwrap();
    says(&refused(directory.path(), &animate("--offload --device cpu")), &["offload", "host's memory already"]);
    says(&refused(directory.path(), &animate("--fit --memory 1")), &["1 MiB are free", "fewer `--frames`"]);
    // Where a frame is larger than a tile, tiles help.
    let tiles = "--size 192x320 --tiling off --fit --memory";
    let needed = |options: &str| -> u64 {
        let error = refused(directory.path(), &animate(options));
        let (_, needed) = error.split_once("needs about ").unwrap_or_else(|| panic!("{error}"));
        needed.split(' ').next().unwrap().parse().unwrap()
    };
    let (whole, least) = (needed("--size 192x320 --tiling off --memory 1"), needed(&format!("{tiles} 1")));
    assert!(least < whole, "{least} {whole}");
    let (_, said) = accepted(directory.path(), &animate(&format!("{tiles} {}", whole - 1)));
    says(&said, &["to fit into memory", "tiles"]);
}

#[test]
fn an_empty_folder_can_be_the_output() {
    let directory = tempfile::tempdir().unwrap();
    accepted(directory.path(), &format!("{} --frames 9 -o {{}}", demo(1)));
    let names = crate::common::names(directory.path());
    assert_eq!((names.len(), names[6].as_str()), (7, "frame_00006.png"));
}

#[test]
fn kept_latents_can_be_decoded_later() {
    let directory = tempfile::tempdir().unwrap();
    tiny(directory.path());
    accepted(
        directory.path(),
        &format!("{} --model {{}}/tiny --keep-intermediates {{}}/kept -o {{}}/out.mp4", demo(2)),
    );
    for name in ["motion.safetensors", "conditioning.safetensors", "latents.safetensors", "guide.mp4"] {
        assert!(directory.path().join("kept").join(name).exists(), "{name}");
    }
    accepted(directory.path(), "decode {}/kept/latents.safetensors --model {}/tiny -o {}/later.mp4");
    let first = |name: &str| {
        let mut video = VideoReader::open(directory.path().join(name), &Limits::default()).unwrap();
        video.next().unwrap().unwrap().image
    };
    assert_eq!(first("out.mp4"), first("later.mp4"));
}

#[test]
fn json_output_is_one_object_per_line_and_the_plan_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let (out, _) = accepted(directory.path(), &format!("--json {} --frames 9 -o {{}}/out.gif", demo(3)));
    let events = events(&out);
    let first = |kind: &str| {
        events.iter().position(|event| event["event"] == kind).unwrap_or_else(|| panic!("no event {kind}"))
    };
    assert!(first("plan") < first("progress"));
    assert!(first("progress") < first("done") && first("done") < first("time"));
    assert!(events[first("plan")]["plan"]["stages"].as_array().unwrap().iter().all(|s| s["activations"].is_u64()));

    // Every step says how long it took; the first report of a stage has nothing to say.
    let steps: Vec<&Value> = events.iter().filter(|e| e["event"] == "progress" && e["stage"] == "denoise").collect();
    assert_eq!(steps.iter().map(|e| e["done"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(steps[0]["seconds"].is_null());
    assert!(steps[1..].iter().all(|event| event["seconds"].as_f64().unwrap() > 0.0));
    let encoded = events.iter().rfind(|event| event["stage"] == "encode" && event["event"] == "progress").unwrap();
    assert_eq!((&encoded["done"], &encoded["total"]), (&7.into(), &7.into()));
}

#[test]
fn inspect_says_what_is_there_and_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    let (text, _) = accepted(directory.path(), "inspect {}/tiny --device cpu");
    assert_eq!(text.matches("complete").count(), 5, "{text}");
    says(&text, &["17 frames of 96x160", "denoise", "MiB weights", "peak about"]);
    let (json, _) = accepted(directory.path(), "--json inspect {}/tiny --precision f32");
    let peak = |precision: &str| {
        let (json, _) = accepted(directory.path(), &format!("--json inspect {{}}/tiny --precision {precision}"));
        let events = events(&json);
        let inspection = &events.iter().find(|event| event["event"] == "inspection").unwrap()["inspection"];
        inspection["plan"]["stages"][3]["weights"].as_u64().unwrap()
    };
    assert_eq!(peak("f32"), 2 * peak("bf16"), "{json}");
    fs::remove_file(model.join("vae/diffusion_pytorch_model.safetensors")).unwrap();
    let output = run(directory.path(), "inspect {}/tiny");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("holds neither diffusion_pytorch_model.safetensors"), "{text}");
    says(&refused(directory.path(), "inspect {}/tiny --device quantum"), &["quantum"]);
}

#[test]
fn a_run_that_memory_will_not_do_is_refused_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    // A face projector of some terabytes: only described, never allocated.
    let config = model.join("transformer/config.json");
    let mut text = fs::read_to_string(&config).unwrap();
    for (field, size) in [("pose_proj_hidden", 72), ("text_embed_dim", 48), ("time_embed_dim", 32)] {
        let small = format!("\"{field}\": {size}");
        assert!(text.contains(&small), "{text}");
        text = text.replace(&small, &format!("\"{field}\": 1048576"));
    }
    fs::write(&config, text).unwrap();
    let run = format!("{} --model {{}}/tiny -o {{}}/out.mp4", demo(1));
    let error = refused(directory.path(), &run);
    says(&error, &["plan:", "this run needs about", "MiB are free", "--precision bf16", "--frames", "--force"]);
    assert!(!error.contains("draw "), "nothing was begun: {error}");
    // Forced, it goes on to the weights, which are of another size.
    let error = refused(directory.path(), &format!("{run} --force"));
    says(&error, &["misshapen", "1048576"]);
}

#[test]
fn init_writes_a_whole_checkpoint_into_a_new_or_empty_directory_only() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::create_dir(place.join("empty")).unwrap();
    for name in ["deep/new", "empty"] {
        accepted(place, &format!("init {{}}/{name}"));
        let parts = ["pose_guider", "scheduler", "siglip-so400m-patch14-384", "transformer", "vae"];
        assert_eq!(crate::common::names(&place.join(name)), parts, "{name}");
        accepted(place, &format!("inspect {{}}/{name}"));
    }
    let weights = |name: &str| fs::read(place.join(name).join("vae/diffusion_pytorch_model.safetensors")).unwrap();
    assert_eq!(weights("deep/new"), weights("empty"));
    accepted(place, "init {}/seeded --seed 1");
    assert_ne!(weights("seeded"), weights("empty"));
    says(&refused(place, "init {}/empty"), &["empty is not empty", "name a new directory"]);
    says(&refused(place, "init {}/other --device quantum"), &["quantum"]);
}

#[test]
fn verify_passes_the_committed_golden_files_and_fails_a_changed_one() {
    let directory = tempfile::tempdir().unwrap();
    let (text, _) = accepted(directory.path(), &format!("verify --golden {GOLDEN} --device cpu"));
    assert!(text.contains(" 0 failed, 0 skipped"), "{text}");

    let changed = directory.path().join("golden");
    fs::create_dir(&changed).unwrap();
    fs::copy(format!("{GOLDEN}/siglip.safetensors"), changed.join("renamed.safetensors")).unwrap();
    let json = fs::read_to_string(format!("{GOLDEN}/siglip.json")).unwrap();
    fs::write(changed.join("renamed.json"), json.replace("\"layer_norm_eps\": 1e-06", "\"layer_norm_eps\": 1e-02"))
        .unwrap();
    let output = run(directory.path(), "verify --golden {}/golden --device cpu");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    says(&text, &["0 passed, 1 failed, 0 skipped"]);
}

#[test]
fn verify_goes_on_after_a_damaged_golden_file() {
    let directory = tempfile::tempdir().unwrap();
    let golden = directory.path().join("golden");
    fs::create_dir(&golden).unwrap();
    let bytes = fs::read(format!("{GOLDEN}/siglip.safetensors")).unwrap();
    // In alphabetical order the damaged ones come first.
    for (name, bytes) in [("a_cut", &bytes[..bytes.len() / 2]), ("b_empty", &[]), ("good", &bytes[..])] {
        fs::write(golden.join(name).with_extension("safetensors"), bytes).unwrap();
        fs::copy(format!("{GOLDEN}/siglip.json"), golden.join(name).with_extension("json")).unwrap();
    }
    let output = run(directory.path(), "verify --golden {}/golden --device cpu");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    says(&text, &["a_cut.json: FAILED", "a_cut.safetensors", "b_empty.json: FAILED", "1 passed, 2 failed, 0 skipped"]);
    let output = run(directory.path(), "--json verify --golden {}/golden --device cpu");
    let events = events(&String::from_utf8(output.stdout).unwrap());
    let passed: Vec<_> = events.iter().filter(|e| e["event"] == "golden").map(|e| &e["passed"]).collect();
    assert_eq!(passed, [false, false, true]);
    says(&refused(directory.path(), "verify --golden {}"), &["no pair NAME.json"]);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_there_is_named_with_its_feature() {
    let output = crate::common::skyreels().args(["verify", "--golden", GOLDEN, "--device", "cuda:7"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    says(&error, &["`cuda:7`", "`--features cuda`"]);
}
