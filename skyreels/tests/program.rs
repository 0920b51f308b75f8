//! The program does what its help says.

mod common;

use std::fs;

use common::{ASSETS, GOLDEN, run, skyreels, tiny};
use skyreels::core::Limits;
use skyreels::core::media::VideoReader;

/// A drawn portrait and the motion file that ships with the repository.
fn demo() -> String {
    format!("animate --portrait drawn:1 --driving {ASSETS}/performance.safetensors --steps 2")
}

#[test]
fn the_first_command_of_the_readme_makes_a_video() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &format!("{} --side-by-side -o {{}}/out.mp4", demo()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("pixels of the result are noise"), "{said}");
    let video = VideoReader::open(directory.path().join("out.mp4"), &Limits::default()).unwrap();
    let info = *video.info();
    assert_eq!((info.width, info.height, info.frames), (3 * 160, 96, 15));
    assert_eq!(video.map(|frame| frame.unwrap().image.dimensions()).filter(|size| *size == (480, 96)).count(), 15);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = |seed: u32, name: &str| {
        let output = run(directory.path(), &format!("{} --frames 9 --seed {seed} -o {{}}/{name}.mp4", demo()));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(directory.path().join(format!("{name}.mp4"))).unwrap()
    };
    let first = bytes(1, "first");
    assert_eq!(first, bytes(1, "again"));
    assert_ne!(first, bytes(2, "other"));
}

#[test]
fn kept_latents_can_be_decoded_later() {
    let directory = tempfile::tempdir().unwrap();
    tiny(directory.path());
    let output =
        run(directory.path(), &format!("{} --model {{}}/tiny --keep-intermediates {{}}/kept -o {{}}/out.mp4", demo()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["motion.safetensors", "conditioning.safetensors", "latents.safetensors", "guide.mp4"] {
        assert!(directory.path().join("kept").join(name).exists(), "{name}");
    }
    let output = run(directory.path(), "decode {}/kept/latents.safetensors --model {}/tiny -o {}/later.mp4");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let first = |name: &str| {
        let mut video = VideoReader::open(directory.path().join(name), &Limits::default()).unwrap();
        video.next().unwrap().unwrap().image
    };
    assert_eq!(first("out.mp4"), first("later.mp4"));
}

#[test]
fn json_output_is_one_object_per_line() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &format!("--json {} --frames 9 -o {{}}/out.gif", demo()));
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for kind in ["plan", "progress", "done", "time"] {
        assert!(events.iter().any(|event| event["event"] == kind), "{kind}");
    }
}

#[test]
fn inspect_says_what_is_there_and_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    let output = run(directory.path(), "inspect {}/tiny");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.matches("complete").count() == 4, "{text}");
    fs::remove_file(model.join("vae/diffusion_pytorch_model.safetensors")).unwrap();
    let output = run(directory.path(), "inspect {}/tiny");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("holds neither diffusion_pytorch_model.safetensors"), "{text}");
}

#[test]
fn verify_passes_the_committed_golden_files_and_fails_a_changed_one() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &format!("verify --golden {GOLDEN} --device cpu"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains(" 0 failed, 0 skipped"), "{text}");

    let changed = directory.path().join("golden");
    fs::create_dir(&changed).unwrap();
    fs::copy(format!("{GOLDEN}/siglip.safetensors"), changed.join("renamed.safetensors")).unwrap();
    let json = fs::read_to_string(format!("{GOLDEN}/siglip.json")).unwrap();
    fs::write(changed.join("renamed.json"), json.replace("\"layer_norm_eps\": 1e-06", "\"layer_norm_eps\": 1e-02"))
        .unwrap();
    let output = run(directory.path(), "verify --golden {}/golden --device cpu");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_device_that_is_not_there_is_named_with_its_feature() {
    let output = skyreels().args(["verify", "--golden", GOLDEN, "--device", "cuda:7"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("cuda"), "{error}");
}
