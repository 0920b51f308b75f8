//! `skyreels inspect`.

use serde_json::json;
use skyreels::Plan;
use skyreels::core::{Limits, open_device};
use skyreels::model::inspect;

use super::args::Inspect;
use super::{Outcome, Reporter, Result};

/// Name of this operation in progress reports.
const STAGE: &str = "inspect";
const MIB: f64 = (1 << 20) as f64;

pub fn run(args: &Inspect, reporter: &Reporter) -> Result {
    let device = open_device(&args.device)?;
    reporter.progress().report(STAGE, 0, Some(1))?;
    let inspection = inspect(&args.model, &Limits::default(), args.precision, &device)?;
    reporter.progress().report(STAGE, 1, Some(1))?;
    let mut text = format!("{}\n", args.model.display());
    for component in &inspection.components {
        text += &format!(
            "{:28} {:>5} tensors {:>14} parameters {:>9.1} MiB  {}\n",
            component.name,
            component.tensors,
            component.parameters,
            component.stored_bytes as f64 / MIB,
            component.problem.as_deref().unwrap_or("complete")
        );
    }
    text += &inspection.problem.iter().map(|problem| format!("{problem}\n")).collect::<String>();
    text += &inspection.plan.as_ref().map_or("no plan: see above".to_string(), Plan::to_string);
    reporter.result(&text, json!({ "event": "inspection", "inspection": inspection }));
    Ok(if inspection.is_complete() { Outcome::Done } else { Outcome::CheckFailed })
}
