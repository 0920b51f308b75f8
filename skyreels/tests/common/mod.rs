//! The program as a person runs it.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/assets");
pub const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared");

/// The program, ready for arguments.
pub fn skyreels() -> Command {
    Command::new(env!("CARGO_BIN_EXE_skyreels"))
}

/// Runs the program; the arguments are split at spaces, `{}` stands for `directory`.
pub fn run(directory: &Path, arguments: &str) -> Output {
    let place = directory.to_str().expect("temporary directories have plain names");
    let arguments = arguments.split_whitespace().map(|argument| argument.replace("{}", place));
    skyreels().args(arguments).output().expect("the program starts")
}

/// Standard error of a run that has to be refused: exit status 2, nothing under the name of the output.
pub fn refused(directory: &Path, arguments: &str) -> String {
    let output = run(directory, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments}\n{error}");
    assert!(!error.contains("panicked"), "{arguments}\n{error}");
    assert!(!directory.join("out.mp4").exists(), "{arguments} left an output");
    let parts = std::fs::read_dir(directory).unwrap().filter_map(|e| e.ok()?.file_name().into_string().ok());
    assert_eq!(parts.filter(|name| name.ends_with(".part")).count(), 0, "{arguments} left unfinished files");
    error
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

/// A tiny checkpoint.
pub fn tiny(directory: &Path) -> PathBuf {
    let output = run(directory, "init {}/tiny");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    directory.join("tiny")
}
