//! The dashboard of burn-train, fed by our own loop.

use std::io::{IsTerminal, stdout};
use std::path::Path;
use std::sync::Arc;

use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use skyreels::train::run::Note;

use super::view::View;
use crate::program::report::interrupted;
use crate::program::source::request;
use crate::program::{Reporter, Result};

const LOSS: &str = "Loss";
const RATE: &str = "Learning rate";
const GRADIENT: &str = "Gradient norm";
const SECONDS: &str = "Step time";
const SPEED: &str = "Examples per second";
const UTILISATION: &str = "Model FLOP utilisation";

/// What is drawn, in which unit, and whether more of it is better.
const METRICS: [(&str, Option<&str>, bool); 6] = [
    (LOSS, None, false),
    (RATE, None, false),
    (GRADIENT, None, false),
    (SECONDS, Some("s"), false),
    (SPEED, None, true),
    (UTILISATION, Some("%"), true),
];

/// Curves on the whole terminal until it is dropped.
pub struct Dashboard {
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
    metrics: Vec<(&'static str, MetricId)>,
    stage: String,
}

impl Dashboard {
    /// Takes the terminal.
    pub fn open(reporter: &Reporter) -> Result<Self> {
        if reporter.is_json() || !stdout().is_terminal() {
            return Err(request(
                "dashboard",
                "it needs a terminal to draw on; without --dashboard steps are lines".to_owned(),
            ));
        }
        reporter.clear();
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        let metrics = METRICS.map(|(name, unit, higher_is_better)| {
            let metric_id = MetricId::new(Arc::new(name.to_string()));
            renderer.register_metric(MetricDefinition {
                metric_id: metric_id.clone(),
                name: Arc::new(name.to_string()),
                description: None,
                attributes: NumericAttributes { unit: unit.map(str::to_string), higher_is_better }.into(),
            });
            (name, metric_id)
        });
        Ok(Self { renderer, interrupter, metrics: metrics.to_vec(), stage: String::new() })
    }

    /// True when somebody has asked to stop, here or with a signal.
    pub fn asked_to_stop(&self) -> impl Fn() -> bool + Sync + use<> {
        let interrupter = self.interrupter.clone();
        move || interrupter.should_stop() || interrupted()
    }

    fn state(&self, name: &str, value: f64) -> Option<MetricState> {
        let (_, metric_id) = self.metrics.iter().find(|(known, _)| *known == name)?;
        let text = format!("{value:.4e}");
        let entry = MetricEntry::new(metric_id.clone(), SerializedEntry { formatted: text.clone(), serialized: text });
        Some(MetricState::Numeric(entry, Some(NumericEntry::Value(value))))
    }
}

impl View for Dashboard {
    fn tell(&mut self, note: &Note, _: Option<&Path>) {
        match note {
            Note::Step { record, stage, steps, examples_per_second, utilisation, .. } => {
                if self.stage != **stage {
                    self.stage = stage.to_string();
                    self.renderer.start(1, 1, Some(*steps as usize), Some(stage));
                    self.renderer.start_split("train", *steps as usize);
                }
                let values = [
                    (LOSS, Some(record.loss)),
                    (RATE, Some(record.learning_rate)),
                    (GRADIENT, Some(record.gradient_norm)),
                    (SECONDS, Some(record.seconds)),
                    (SPEED, Some(*examples_per_second)),
                    (UTILISATION, utilisation.map(|share| 100.0 * share)),
                ];
                for (name, value) in values {
                    if let Some(state) = value.and_then(|value| self.state(name, value)) {
                        self.renderer.update_train(state);
                    }
                }
                self.renderer.update_split(record.step as usize);
            }
            Note::HeldOut { loss, .. } => {
                if let Some(state) = self.state(LOSS, *loss) {
                    self.renderer.update_valid(state);
                }
            }
            Note::Samples { .. } => self.renderer.log_event_training("samples".into()),
            Note::Saved(_) => self.renderer.log_event_training("checkpoints".into()),
        }
    }
}
