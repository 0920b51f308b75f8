//! Golden files of this crate: the original's drawings, pixel by pixel.

mod affine;
mod draw;
mod render;

use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report};

use crate::{Error, Result};

/// Kinds of golden files that [`run`] knows.
pub const KINDS: [&str; 1] = ["draw"];

/// Computes every answer of a golden file and compares it with the original's.
///
/// Drawing needs no device; the parameter is there because every crate's runner has it.
///
/// # Errors
/// [`Error::Invalid`] for a kind that is not in [`KINDS`]; [`Error::Core`] for a damaged file.
pub fn run(file: &Golden, _device: &Device) -> Result<Report> {
    match file.kind() {
        "draw" => draw::run(file),
        kind => Err(Error::invalid("golden file", format!("kind `{kind}` is not one of {KINDS:?}"))),
    }
}
