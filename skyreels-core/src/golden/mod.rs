//! The original's answers, and the table that says how near ours are.
//!
//! A golden file is a pair `NAME.safetensors` + `NAME.json`: weights, inputs and expected outputs
//! of one network or function, computed by the PyTorch original. Its `kind` says what to run;
//! the crate that has the network has the runner (`golden::run`), which must serve any file
//! of its kind, whatever its name, sizes and number of cases.

mod file;
mod recipe;
mod report;
mod resize;
mod scheduler;

pub use file::{Golden, Values};
pub use report::{Expected, Report, Row, Tolerance};
pub use resize::run as run_resize;
pub use scheduler::run as run_scheduler;
