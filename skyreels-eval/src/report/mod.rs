//! An evaluation as files: numbers for programs, a page for people.

mod page;
mod paper;
mod plot;
mod sections;
mod table;
mod worst;

use std::path::Path;

use skyreels_core::Error as CoreError;
use skyreels_core::output::write_file;

pub use page::page;
pub use paper::{PAPER_TABLE, PaperRow};
pub use table::csv;

use crate::{Error, Evaluation, Result};

/// Names of the files.
const JSON: &str = "report.json";
const CSV: &str = "report.csv";
const HTML: &str = "report.html";

/// Writes `report.json`, `report.csv` and `report.html` into a directory, which is made if it is not there.
///
/// # Errors
/// [`Error::Core`] when a file cannot be written.
pub fn write_report(directory: impl AsRef<Path>, evaluation: &Evaluation) -> Result<()> {
    let directory = directory.as_ref();
    std::fs::create_dir_all(directory).map_err(CoreError::io("create", directory))?;
    let json = serde_json::to_string_pretty(evaluation).map_err(|e| Error::invalid("report", e.to_string()))?;
    write_file(directory.join(JSON), (json + "\n").as_bytes())?;
    write_file(directory.join(CSV), csv(evaluation).as_bytes())?;
    write_file(directory.join(HTML), page(evaluation).as_bytes())?;
    Ok(())
}
