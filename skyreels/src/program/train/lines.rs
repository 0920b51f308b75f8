//! A run as lines, or as objects for machines.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use skyreels::train::run::{Note, Record};

use super::view::View;
use crate::program::Reporter;

/// People read no faster.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

pub struct Lines<'a> {
    reporter: &'a Reporter,
    last: Option<Instant>,
}

impl<'a> Lines<'a> {
    pub fn new(reporter: &'a Reporter) -> Self {
        Self { reporter, last: None }
    }

    /// True when the step is to be said: to machines always, to people now and then and at the end.
    fn is_due(&mut self, record: &Record, steps: u64) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) || record.step == steps;
        if due {
            self.last = Some(Instant::now());
        }
        due || self.reporter.is_json()
    }
}

impl View for Lines<'_> {
    fn tell(&mut self, note: &Note, written: Option<&Path>) {
        match note {
            Note::Step { record, stage, steps, examples_per_second, flops, utilisation } => {
                if !self.is_due(record, *steps) {
                    return;
                }
                let object = json!({
                    "event": "step", "stage": stage, "step": record.step, "steps": steps, "loss": record.loss,
                    "learning_rate": record.learning_rate, "gradient_norm": record.gradient_norm,
                    "seconds": record.seconds, "examples_per_second": examples_per_second, "flops": flops,
                    "utilisation": utilisation,
                });
                let share = utilisation.map(|share| format!(", {:.1} % of peak", 100.0 * share)).unwrap_or_default();
                let text = format!(
                    "{stage} {}/{steps}: loss {:.5}, rate {:.2e}, gradient {:.3}, {:.3} s, {:.2} examples/s, {:.2} GFLOP/s{share}",
                    record.step,
                    record.loss,
                    record.learning_rate,
                    record.gradient_norm,
                    record.seconds,
                    examples_per_second,
                    flops / 1e9,
                );
                self.reporter.say(&text, object);
            }
            Note::HeldOut { step, loss } => {
                let object = json!({ "event": "held_out", "step": step, "loss": loss });
                self.reporter.say(&format!("held-out loss {loss:.5} after step {step}"), object);
            }
            Note::Samples { .. } => {
                let Some(path) = written else { return };
                self.reporter.say(&format!("wrote {}", path.display()), json!({ "event": "samples", "output": path }));
            }
            Note::Saved(path) => {
                self.reporter.say(&format!("wrote {}", path.display()), json!({ "event": "saved", "output": path }));
            }
        }
    }
}
