//! Golden files of kind `vae`: every `in.video<suffix>` is encoded, every `in.latents<suffix>`
//! decoded, and all that the file knows about is compared.

use burn::tensor::Device;
use serde::Deserialize;
use skyreels_core::golden::{Golden, Report};
use skyreels_core::{Precision, Progress};

use crate::config::VaeConfig;
use crate::error::Result;
use crate::model::CausalVae;
use crate::pass::Trace;
use crate::tiling::{TileSizes, Tiling};

const VIDEO: &str = "video";
const LATENTS: &str = "latents";

#[derive(Deserialize)]
struct GoldenConfig {
    #[serde(flatten)]
    vae: VaeConfig,
    tiling: Option<TileSizes>,
}

/// Runs a file of kind `vae`, whatever its name, sizes and number of cases.
///
/// # Errors
/// Errors of reading the file and of running the model; answers that are too far off are rows of
/// the report.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    let GoldenConfig { vae: config, tiling } = file.config("")?;
    let tiling = tiling.map_or(Tiling::Off, Tiling::Sized);
    let vae = file.weights("").load(CausalVae::new(&config, device)?, Precision::F32, Progress::none())?;
    let mut report = Report::new(file);
    let outputs = file.outputs();
    for input in file.inputs() {
        let mut trace;
        let suffix;
        let values = || file.tensor(&input, device);
        if let Some(rest) = input.strip_prefix(VIDEO) {
            suffix = rest;
            trace = wanted(&outputs, suffix);
            let posterior = vae.encode_traced(values()?, tiling, Progress::none(), &mut trace)?;
            report.compare(file, &format!("mean{suffix}"), posterior.mean)?;
            report.compare(file, &format!("logvar{suffix}"), posterior.logvar)?;
        } else if let Some(rest) = input.strip_prefix(LATENTS) {
            suffix = rest;
            trace = wanted(&outputs, suffix);
            let video = vae.decode_traced(values()?, tiling, Progress::none(), &mut trace)?;
            report.compare(file, &format!("video{suffix}"), video)?;
        } else {
            continue;
        }
        for (name, tensor) in trace.into_tensors() {
            report.compare(file, &format!("{name}{suffix}"), tensor)?;
        }
    }
    Ok(report.finish(file))
}

/// The intermediates that the file holds for the inputs of this suffix.
fn wanted(outputs: &[String], suffix: &str) -> Trace {
    Trace::of(outputs.iter().filter_map(|name| name.strip_suffix(suffix)).map(str::to_string))
}
