//! The program as a person runs it.

#![cfg_attr(not(feature = "program"), allow(dead_code))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use skyreels::core::Frame;
use skyreels::core::media::{FrameRate, VideoOptions, VideoWriter};

pub const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/assets");
pub const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// A run of the tiny model on a drawn portrait and the motion file that ships with the repository; no output yet.
pub fn demo(steps: usize) -> String {
    format!("animate --portrait drawn:1 --driving {ASSETS}/performance.safetensors --steps {steps}")
}

/// The program, ready for arguments.
pub fn skyreels() -> Command {
    Command::new(env!("CARGO_BIN_EXE_skyreels"))
}

/// Arguments split at spaces, with `directory` in the place of `{}`.
pub fn arguments(directory: &Path, text: &str) -> Vec<String> {
    let place = directory.to_str().expect("temporary directories have plain names");
    text.split_whitespace().map(|argument| argument.replace("{}", place)).collect()
}

/// Runs the program; the arguments are split at spaces, `{}` stands for `directory`.
pub fn run(directory: &Path, text: &str) -> Output {
    skyreels().args(arguments(directory, text)).output().expect("the program starts")
}

/// Standard output and standard error of a run that succeeds.
pub fn accepted(directory: &Path, text: &str) -> (String, String) {
    let output = run(directory, text);
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{text}\n{error}");
    (out, error)
}

/// Standard error of a run that has to be refused: exit status 2, and `directory` as it was.
pub fn refused(directory: &Path, text: &str) -> String {
    let before = names(directory);
    let output = run(directory, text);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}\n{error}");
    assert!(!error.contains("panicked"), "{text}\n{error}");
    assert_eq!(names(directory), before, "{text} left something");
    error
}

/// Asserts that a message has all these parts.
pub fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// What lies in a directory, in order.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

/// The events of `--json`.
pub fn events(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Writes frames at the model's rate.
pub fn write_video(path: &Path, frames: &[Frame]) {
    let (width, height) = frames[0].dimensions();
    let mut video = VideoWriter::create(path, width, height, FrameRate::NATIVE, &VideoOptions::default()).unwrap();
    frames.iter().for_each(|frame| video.push(frame).unwrap());
    video.finish().unwrap();
}

/// The bytes of a short video without a face.
pub fn video_bytes() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("noise.mp4");
    let mut state = 1u32;
    let mut noise = || {
        // Knuth's multiplicative generator: enough to keep the encoder from making nothing of it.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let frames: Vec<Frame> =
        (0..5).map(|_| Frame::from_fn(160, 120, |_, _| image::Rgb([noise(), noise(), noise()]))).collect();
    write_video(&path, &frames);
    fs::read(path).unwrap()
}

/// A file of the shared folder; `None`, with a printed reason, where it is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(SHARED).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

/// The option that names the face model, where that is there.
pub fn face_model() -> Option<String> {
    shared("media/models/face_landmarker_v2_with_blendshapes.task")
        .map(|path| format!("--face-model {}", path.display()))
}

/// A tiny checkpoint.
pub fn tiny(directory: &Path) -> PathBuf {
    accepted(directory, "init {}/tiny --device cpu");
    directory.join("tiny")
}
