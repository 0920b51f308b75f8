//! Runs the original's answers for these networks: golden files of kind `dit`, `siglip` and
//! `tables`.

mod dit;
mod siglip;
mod tables;
mod whole;

use burn::tensor::Device;
use skyreels_core::golden::{Golden, Report};

use crate::trace::Trace;
use crate::{Error, Result};

/// Kinds of golden files that [`run`] serves.
pub const KINDS: [&str; 3] = ["dit", "siglip", "tables"];

/// Runs a golden file of one of the [`KINDS`] on `device` and compares every stored answer.
///
/// # Errors
/// Of the file, when it is of another kind or incomplete; a wrong answer is not an error but a
/// failed row of the report.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    match file.kind() {
        "dit" => dit::run(file, device),
        "siglip" => siglip::run(file, device),
        "tables" => tables::run(file, device),
        other => Err(malformed(file, format!("kind `{other}` is not one of {}", KINDS.join(", ")))),
    }
}

/// Compares all that a trace holds and the file knows.
fn compare_trace(report: &mut Report, file: &Golden, trace: &Trace) -> Result<()> {
    for (name, data) in trace.tensors() {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let shape = data.shape().to_vec();
        report.compare_values(file, name, &shape, &values, skyreels_core::golden::Tolerance::Reference)?;
    }
    Ok(())
}

fn malformed(file: &Golden, reason: String) -> Error {
    Error::Core(skyreels_core::Error::malformed(file.path(), "golden file", reason))
}
