//! What a run has seen so far.

use std::fmt::Write as _;
use std::path::Path;

use skyreels_core::output::write_file;
use skyreels_core::{Error as CoreError, Limits};

use crate::Result;

/// One optimiser step.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Number of the stage, from 0.
    pub stage: usize,
    /// Number of the step in the stage, from 1.
    pub step: u64,
    /// The loss of its batch.
    pub loss: f64,
    /// Its learning rate.
    pub learning_rate: f64,
    /// Norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// How long it took.
    pub seconds: f64,
    /// The loss on held-out examples after it, where somebody looked.
    pub held_out: Option<f64>,
}

/// All steps of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// In order.
    pub records: Vec<Record>,
}

const HEADER: &str = "stage,step,loss,learning_rate,gradient_norm,seconds,held_out";

impl History {
    /// Losses of the batches, in order.
    pub fn losses(&self) -> Vec<f64> {
        self.records.iter().map(|record| record.loss).collect()
    }

    /// Writes a CSV file, whole or not at all; numbers come back exactly.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        let mut text = format!("{HEADER}\n");
        for r in &self.records {
            let held_out = r.held_out.map(|loss| format!("{loss:?}")).unwrap_or_default();
            let Record { stage, step, loss, learning_rate, gradient_norm, seconds, .. } = r;
            writeln!(text, "{stage},{step},{loss:?},{learning_rate:?},{gradient_norm:?},{seconds:?},{held_out}")
                .expect("a string takes everything");
        }
        Ok(write_file(path, text.as_bytes())?)
    }

    /// Reads what [`write_csv`](Self::write_csv) has written.
    ///
    /// # Errors
    /// When the file cannot be read, or a line of it.
    pub fn read_csv(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(CoreError::io("read", path))?.len();
        if length > Limits::default().max_header_bytes {
            return Err(CoreError::malformed(path, "history", format!("{length} bytes are too many")).into());
        }
        let text = std::fs::read_to_string(path).map_err(CoreError::io("read", path))?;
        let mut records = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1) {
            let record = parse(line).ok_or_else(|| {
                CoreError::malformed(path, "history", format!("line {} is no step: `{line}`", number + 1))
            })?;
            records.push(record);
        }
        Ok(Self { records })
    }
}

fn parse(line: &str) -> Option<Record> {
    let fields: Vec<&str> = line.split(',').collect();
    let [stage, step, loss, learning_rate, gradient_norm, seconds, held_out] = fields[..] else { return None };
    Some(Record {
        stage: stage.parse().ok()?,
        step: step.parse().ok()?,
        loss: loss.parse().ok()?,
        learning_rate: learning_rate.parse().ok()?,
        gradient_norm: gradient_norm.parse().ok()?,
        seconds: seconds.parse().ok()?,
        held_out: if held_out.is_empty() { None } else { Some(held_out.parse().ok()?) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_comes_back_from_its_file_exactly() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.csv");
        let record = |step, held_out| Record {
            stage: 1,
            step,
            loss: 0.1 + 0.2,
            learning_rate: 1e-5,
            gradient_norm: 1.0 / 3.0,
            seconds: 0.25,
            held_out,
        };
        let history = History { records: vec![record(1, None), record(2, Some(0.7))] };
        history.write_csv(&path).unwrap();
        assert_eq!(History::read_csv(&path).unwrap(), history);
        std::fs::write(&path, "header\n1,2,three\n").unwrap();
        assert!(History::read_csv(&path).unwrap_err().to_string().contains("line 2"));
    }
}
