//! Runs the original's answers for training: gradients through the transformer, and RAFT.

mod gradients;
mod raft;

use burn::tensor::Device;
use skyreels_core::golden::{Golden, Report};

use crate::{Error, Result};

/// Kinds of golden files that [`run`] serves.
pub const KINDS: [&str; 2] = ["dit_grad", "raft"];

/// Runs a golden file of one of the [`KINDS`] on `device` and compares every stored answer.
///
/// # Errors
/// Of the file, when it is of another kind or incomplete; a wrong answer is not an error but a
/// failed row of the report.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    match file.kind() {
        "dit_grad" => gradients::run(file, device),
        "raft" => raft::run(file, device),
        other => {
            let reason = format!("kind `{other}` is not one of {}", KINDS.join(", "));
            Err(Error::Core(skyreels_core::Error::malformed(file.path(), "golden file", reason)))
        }
    }
}
