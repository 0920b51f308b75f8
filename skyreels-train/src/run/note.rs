//! What a run says while it goes on.

use std::path::Path;

use super::history::Record;
use super::task::Samples;

/// What a run has to say.
#[derive(Debug)]
pub enum Note<'a> {
    /// A step is done.
    Step {
        /// The step.
        record: &'a Record,
        /// Name of the stage.
        stage: &'a str,
        /// Steps of the stage.
        steps: u64,
        /// Examples a second.
        examples_per_second: f64,
        /// Floating-point operations a second, recomputation not counted.
        flops: f64,
        /// Their share of the device's peak, where that is known.
        utilisation: Option<f64>,
    },
    /// The loss on held-out examples was measured.
    HeldOut {
        /// Steps of all stages so far.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Held-out examples were looked at.
    Samples {
        /// Steps of all stages so far.
        step: u64,
        /// What the model makes of them.
        samples: Samples,
    },
    /// A checkpoint was written.
    Saved(&'a Path),
}
