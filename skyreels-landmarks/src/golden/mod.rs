//! Golden files of this crate: the original's drawings, pixel by pixel, and the networks and formulas of faces.

mod affine;
mod draw;
mod flame;
mod pose;
mod render;
mod retinaface;
mod smirk;

use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report};

use crate::{Error, Result};

/// Kinds of golden files that [`run`] knows.
pub const KINDS: [&str; 6] = ["draw", "flame", "pose_math", "retinaface", "smirk", "smirk_crop"];

/// Computes every answer of a golden file and compares it with the original's.
///
/// Networks run on `device`; drawings and formulas on the host.
///
/// # Errors
/// [`Error::Invalid`] for a kind that is not in [`KINDS`]; [`Error::Core`] for a damaged file.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    match file.kind() {
        "draw" => draw::run(file),
        "flame" => flame::run(file),
        "pose_math" => pose::run(file),
        "retinaface" => retinaface::run(file, device),
        "smirk" => smirk::run(file, device),
        "smirk_crop" => smirk::run_crop(file),
        kind => Err(Error::invalid("golden file", format!("kind `{kind}` is not one of {KINDS:?}"))),
    }
}
