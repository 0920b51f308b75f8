//! Golden files of this crate: the original's drawings, pixel by pixel, and the networks and formulas of faces.

mod affine;
mod align;
mod draw;
mod flame;
mod nms;
mod pose;
mod render;
mod retinaface;
mod scrfd;
mod smirk;

use skyreels_core::golden::{Golden, Report, Values};
use skyreels_core::{Device, Frame};

use crate::{Error, Result};

/// Kinds of golden files that [`run`] knows.
pub const KINDS: [&str; 10] =
    ["draw", "face_align", "flame", "nms", "pose_math", "retinaface", "scrfd", "scrfd_network", "smirk", "smirk_crop"];

/// Computes every answer of a golden file and compares it with the original's.
///
/// Networks run on `device`; drawings and formulas on the host.
///
/// # Errors
/// [`Error::Invalid`] for a kind that is not in [`KINDS`]; [`Error::Core`] for a damaged file.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    match file.kind() {
        "draw" => draw::run(file),
        "face_align" => align::run(file),
        "flame" => flame::run(file),
        "nms" => nms::run(file),
        "pose_math" => pose::run(file),
        "retinaface" => retinaface::run(file, device),
        "scrfd" => scrfd::run(file),
        "scrfd_network" => scrfd::run_network(file, device),
        "smirk" => smirk::run(file, device),
        "smirk_crop" => smirk::run_crop(file),
        kind => Err(Error::invalid("golden file", format!("kind `{kind}` is not one of {KINDS:?}"))),
    }
}

/// Bytes `[height, width, 3]` as a picture.
fn picture(values: &Values) -> Result<Frame> {
    let wrong = || Error::invalid("golden file", format!("a picture of shape {:?}", values.shape));
    let [height, width, 3] = values.shape[..] else { return Err(wrong()) };
    let bytes = values.data.iter().map(|value| *value as u8).collect();
    Frame::from_raw(width as u32, height as u32, bytes).ok_or_else(wrong)
}
