//! Weighted suppression of rows of a box, six points and a score.

use skyreels_core::golden::{Golden, Report, Tolerance};

use crate::detection::weighted_non_maximum_suppression;
use crate::{Error, Result};

/// Numbers of a row.
const COLUMNS: usize = 17;
/// The threshold of the published code, which the file names in its note.
const THRESHOLD: f32 = 0.3;

pub(super) fn run(file: &Golden) -> Result<Report> {
    let mut report = Report::new(file);
    let named = file.note().split_once("threshold ").and_then(|(_, rest)| rest.split([',', ' ']).next()?.parse().ok());
    for input in file.inputs() {
        let Some(case) = input.strip_prefix("detections_") else { continue };
        let rows = file.input(&input)?;
        let [_, COLUMNS] = rows.shape[..] else {
            return Err(Error::invalid("golden file", format!("`{input}` has not {COLUMNS} columns")));
        };
        let rows: Vec<[f32; COLUMNS]> = rows.data.as_chunks().0.iter().map(|row| row.map(|v| v as f32)).collect();
        let merged = weighted_non_maximum_suppression(&rows, named.unwrap_or(THRESHOLD));
        let values: Vec<f64> = merged.as_flattened().iter().map(|v| f64::from(*v)).collect();
        let shape = [merged.len(), COLUMNS];
        report.compare_values(file, &format!("result_{case}"), &shape, &values, Tolerance::Reference)?;
    }
    Ok(report.finish(file))
}
