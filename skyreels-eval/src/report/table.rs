//! One line per pair.

use crate::evaluation::{Evaluation, Failure, METRICS};

/// The pairs as comma-separated values: name, frames, a column for each number that some pair has, empty where it could not be
/// measured, and why a pair could not be measured at all.
pub fn csv(evaluation: &Evaluation) -> String {
    let columns: Vec<&str> =
        METRICS.iter().map(|metric| metric.key).filter(|key| evaluation.summary.contains_key(*key)).collect();
    let mut text = String::from("name,truth,frames_result,frames_driving");
    columns.iter().for_each(|column| {
        text.push(',');
        text.push_str(column);
    });
    text.push_str(",failure");
    for pair in &evaluation.pairs {
        let [result, driving] = pair.frames;
        text.push_str(&format!("\n{},{},{result},{driving}", quoted(&pair.name), pair.truth));
        for column in &columns {
            text.push(',');
            if let Some(value) = pair.values.get(*column) {
                text.push_str(&value.to_string());
            }
        }
        text.push(',');
    }
    for Failure { name, reason } in &evaluation.failures {
        // Truth, two numbers of frames and the columns stay empty.
        let nothing = ",".repeat(3 + columns.len());
        text.push_str(&format!("\n{}{nothing},{}", quoted(name), quoted(reason)));
    }
    text.push('\n');
    text
}

/// A text that may hold commas and quotes; one that a spreadsheet would take for a formula is made a text.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}
