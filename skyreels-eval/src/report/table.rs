//! One line per pair.

use crate::evaluation::{Evaluation, METRICS};

/// The pairs as comma-separated values: name, frames, and a column for each number that some pair has; empty where it could not be
/// measured.
pub fn csv(evaluation: &Evaluation) -> String {
    let columns: Vec<&str> =
        METRICS.iter().map(|metric| metric.key).filter(|key| evaluation.summary.contains_key(*key)).collect();
    let mut text = String::from("name,truth,frames_result,frames_driving");
    columns.iter().for_each(|column| {
        text.push(',');
        text.push_str(column);
    });
    for pair in &evaluation.pairs {
        let [result, driving] = pair.frames;
        text.push_str(&format!("\n{},{},{result},{driving}", quoted(&pair.name), pair.truth));
        for column in &columns {
            text.push(',');
            if let Some(value) = pair.values.get(*column) {
                text.push_str(&value.to_string());
            }
        }
    }
    text.push('\n');
    text
}

/// A name that may hold commas and quotes; one that a spreadsheet would take for a formula is made a text.
fn quoted(name: &str) -> String {
    let formula = name.starts_with(['=', '+', '-', '@']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, name.replace('"', "\"\""))
}
