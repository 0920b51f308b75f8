//! Golden files of this crate: what the original's and others' networks and formulas say.

mod frechet;
mod identity;
mod inception;
mod thinned;

use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report};

use crate::{Error, Result};

/// Kinds of golden files that [`run`] knows.
pub const KINDS: [&str; 4] = ["curricularface", "frechet", "inception", "iresnet"];

/// Computes every answer of a golden file and compares it with the original's.
///
/// Networks run on `device`; distances on the host.
///
/// # Errors
/// [`Error::Invalid`] for a kind that is not in [`KINDS`]; [`Error::Core`] for a damaged file.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    match file.kind() {
        "curricularface" => identity::run_curricular(file, device),
        "frechet" => frechet::run(file),
        "inception" => inception::run(file, device),
        "iresnet" => identity::run_arcface(file, device),
        kind => Err(Error::invalid("golden file", format!("kind `{kind}` is not one of {KINDS:?}"))),
    }
}
