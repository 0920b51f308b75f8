//! Checkpoints in the published layout.
mod report;
pub use report::{LoadReport, Misshapen};
