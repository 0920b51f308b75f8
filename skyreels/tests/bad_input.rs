//! Every bad input ends in a clear error, exit status 2, and no file under the final name.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{ASSETS, refused, shared, tiny};
use skyreels::core::Frame;
use skyreels::core::media::{FrameRate, VideoOptions, VideoWriter, write_picture};

fn demo() -> String {
    format!("animate --portrait drawn:1 --driving {ASSETS}/performance.safetensors --steps 1 -o {{}}/out.mp4")
}

fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn files_that_are_no_videos() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("empty.mp4"), b"").unwrap();
    fs::write(place.join("text.mp4"), b"this is not a video, whatever its name says").unwrap();
    fs::write(place.join("box.mp4"), b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2\0\0\0\x08moov").unwrap();
    for (name, part) in
        [("empty.mp4", "empty"), ("text.mp4", "text.mp4"), ("box.mp4", "box.mp4"), ("absent.mp4", "cannot")]
    {
        let error = refused(place, &format!("animate --portrait drawn:1 --driving {{}}/{name} -o {{}}/out.mp4"));
        says(&error, &[name, part]);
    }
}

#[test]
fn videos_that_are_cut_short_or_only_sound() {
    let (Some(video), Some(sound)) = (shared("media/driving/1.mp4"), shared("media/audio/1.wav")) else { return };
    let directory = tempfile::tempdir().unwrap();
    let bytes = fs::read(video).unwrap();
    fs::write(directory.path().join("cut.mp4"), &bytes[..bytes.len() / 3]).unwrap();
    let error = refused(directory.path(), "animate --portrait drawn:1 --driving {}/cut.mp4 -o {}/out.mp4");
    says(&error, &["cut.mp4"]);
    let arguments = format!("animate --portrait drawn:1 --driving {} -o {{}}/out.mp4", sound.display());
    says(&refused(directory.path(), &arguments), &["1.wav"]);
}

#[test]
fn pictures_without_a_face_or_of_impossible_size() {
    let Some(model) = shared("media/models/face_landmarker_v2_with_blendshapes.task") else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    write_picture(place.join("black.png"), &Frame::new(320, 240)).unwrap();
    write_picture(place.join("dot.png"), &Frame::new(1, 1)).unwrap();
    fs::write(place.join("huge.png"), huge_png()).unwrap();
    fs::write(place.join("broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let motion = format!("--driving {ASSETS}/performance.safetensors --face-model {}", model.display());
    for (name, part) in
        [("black.png", "no face"), ("dot.png", "no face"), ("huge.png", "20000"), ("broken.png", "broken.png")]
    {
        let error = refused(place, &format!("animate --portrait {{}}/{name} {motion} -o {{}}/out.mp4"));
        says(&error, &[part]);
    }
}

#[test]
fn a_driving_video_without_a_face() {
    let Some(model) = shared("media/models/face_landmarker_v2_with_blendshapes.task") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("black.mp4");
    let mut video = VideoWriter::create(&path, 160, 120, FrameRate::NATIVE, &VideoOptions::default()).unwrap();
    for _ in 0..5 {
        video.push(&Frame::new(160, 120)).unwrap();
    }
    video.finish().unwrap();
    let face = model.display();
    let arguments = format!("animate --portrait drawn:1 --driving {{}}/black.mp4 --face-model {face} -o {{}}/out.mp4");
    says(&refused(directory.path(), &arguments), &["no face", "5 driving frames"]);
}

#[test]
fn a_missing_face_model_says_where_to_get_one() {
    let directory = tempfile::tempdir().unwrap();
    write_picture(directory.path().join("me.png"), &Frame::new(64, 64)).unwrap();
    let arguments =
        format!("animate --portrait {{}}/me.png --driving {ASSETS}/performance.safetensors -o {{}}/out.mp4");
    says(&refused(directory.path(), &arguments), &["--face-model", "https://", "SHA-256", "3758596"]);
    let error = refused(directory.path(), &format!("{arguments} --face-model {{}}/absent.task"));
    says(&error, &["absent.task"]);
}

#[test]
fn clips_that_the_model_cannot_make() {
    let directory = tempfile::tempdir().unwrap();
    for (option, parts) in [
        ("--size 100x100", ["100x100", "multiple of 16"]),
        ("--size 0x96", ["size", "multiple"]),
        ("--frames 10", ["frames", "9"]),
        ("--frames 0", ["frames", "0"]),
        ("--steps 0", ["steps", "1 to 1000"]),
        ("--steps 1001", ["steps", "1001"]),
        ("--guidance nan", ["guidance", "NaN"]),
        ("--device quantum", ["quantum", "ndarray"]),
    ] {
        let demo = demo().replace("--steps 1", if option.starts_with("--steps") { "" } else { "--steps 1" });
        says(&refused(directory.path(), &format!("{demo} {option}")), &parts);
    }
}

#[test]
fn outputs_that_cannot_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let demo = demo().replace("-o {}/out.mp4", "");
    says(&refused(directory.path(), &format!("{demo} -o {{}}/absent/out.mp4")), &["absent"]);
    says(&refused(directory.path(), &format!("{demo} -o {{}}")), &["directory"]);
}

#[test]
fn damaged_checkpoints() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let model = tiny(place);
    let file = model.join("transformer/diffusion_pytorch_model.safetensors");
    let good = fs::read(&file).unwrap();
    let run = || refused(place, &format!("{} --model {{}}/tiny", demo()));

    fs::write(&file, &good[..good.len() - 100]).unwrap();
    says(&run(), &["diffusion_pytorch_model.safetensors", "damaged or truncated"]);

    let mut lying = good.clone();
    lying[..8].copy_from_slice(&(good.len() as u64).to_le_bytes());
    fs::write(&file, lying).unwrap();
    says(&run(), &["header claims"]);

    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&file, nan).unwrap();
    says(&run(), &["NaN"]);

    fs::remove_file(&file).unwrap();
    says(&run(), &["transformer", "holds neither"]);

    let index = model.join("transformer/diffusion_pytorch_model.safetensors.index.json");
    fs::write(&index, r#"{"weight_map": {"proj_out.bias": "part-1.safetensors"}}"#).unwrap();
    says(&run(), &["part-1.safetensors", "missing"]);
    fs::write(&index, r#"{"weight_map": {"proj_out.bias": "../vae/diffusion_pytorch_model.safetensors"}}"#).unwrap();
    says(&run(), &["not a file of this directory"]);
    fs::remove_file(&index).unwrap();

    fs::write(&file, &good).unwrap();
    change(&model.join("transformer/config.json"), "\"num_layers\": 2", "\"num_layers\": 3");
    says(&run(), &["missing", "transformer_blocks.2.attn1.to_q.weight"]);
    change(&model.join("transformer/config.json"), "\"num_layers\": 3", "\"num_layers\": 2");
    change(&model.join("transformer/config.json"), "\"time_embed_dim\": 32", "\"time_embed_dim\": 48");
    says(&run(), &["misshapen", "time_embedding.linear_1.weight", "[32, 32]", "[48, 32]"]);
    change(&model.join("transformer/config.json"), "\"time_embed_dim\": 48,", "");
    says(&run(), &["config.json", "time_embed_dim"]);
}

#[test]
fn components_that_do_not_belong_together() {
    let directory = tempfile::tempdir().unwrap();
    let model = tiny(directory.path());
    change(&model.join("vae/config.json"), "\"latent_channels\": 16", "\"latent_channels\": 8");
    says(&refused(directory.path(), &format!("{} --model {{}}/tiny", demo())), &["do not fit each other"]);
    fs::remove_file(model.join("scheduler/scheduler_config.json")).unwrap();
    says(&refused(directory.path(), &format!("{} --model {{}}/tiny", demo())), &["scheduler_config.json"]);
}

/// Files may not grow beyond a few blocks: what a program sees of a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    tiny(directory.path());
    let arguments = format!("{} --model {{}}/tiny", demo()).replace("{}", directory.path().to_str().unwrap());
    let script = format!("trap '' XFSZ; ulimit -f 4; exec {} {arguments}", env!("CARGO_BIN_EXE_skyreels"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    says(&error, &["out.mp4", "cannot write"]);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "only the model is left");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_the_run_and_leaves_nothing() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let directory = tempfile::tempdir().unwrap();
    let arguments = demo().replace("--steps 1", "--steps 1000").replace("{}", directory.path().to_str().unwrap());
    let mut child = common::skyreels()
        .arg("--json")
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        if line.unwrap().contains("\"denoise\"") {
            break;
        }
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// A header that promises 20000 x 20000 pixels.
fn huge_png() -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend([20_000u32, 20_000].iter().flat_map(|side| side.to_be_bytes()));
    chunk.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&chunk);
    png.extend(crc32fast::hash(&chunk).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png
}
