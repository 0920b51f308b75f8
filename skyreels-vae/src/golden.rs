//! Golden files of kind `vae`: every `in.video<suffix>` is encoded, every `in.latents<suffix>`
//! decoded, and all that the file knows about is compared.

use burn::tensor::Device;
use serde::Deserialize;
use skyreels_core::Progress;
use skyreels_core::golden::{Golden, Report};

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
    tiling: Option<TilingField>,
}

/// How a file says that the original tiled.
#[derive(Deserialize)]
#[serde(untagged)]
enum TilingField {
    Switch(bool),
    Sizes(Sizes),
}

/// Arguments of `enable_tiling`: what is absent or zero stays as the configuration implies.
#[derive(Deserialize)]
struct Sizes {
    tile_sample_min_height: Option<usize>,
    tile_sample_min_width: Option<usize>,
    tile_overlap_factor_height: Option<f64>,
    tile_overlap_factor_width: Option<f64>,
}

impl GoldenConfig {
    fn tiling(&self) -> Tiling {
        let implied = self.vae.tile_sizes();
        let size = |told: Option<usize>, implied| told.filter(|size| *size != 0).unwrap_or(implied);
        let share = |told: Option<f64>, implied| told.filter(|share| *share != 0.0).unwrap_or(implied);
        match &self.tiling {
            None | Some(TilingField::Switch(false)) => Tiling::Off,
            Some(TilingField::Switch(true)) => Tiling::On,
            Some(TilingField::Sizes(told)) => Tiling::Sized(TileSizes {
                height: size(told.tile_sample_min_height, implied.height),
                width: size(told.tile_sample_min_width, implied.width),
                overlap_height: share(told.tile_overlap_factor_height, implied.overlap_height),
                overlap_width: share(told.tile_overlap_factor_width, implied.overlap_width),
            }),
        }
    }
}

/// Runs a file of kind `vae`, whatever its name, sizes and number of cases.
///
/// # Errors
/// Errors of reading the file and of running the model; answers that are too far off are rows of
/// the report.
pub fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: GoldenConfig = file.config("")?;
    config.vae.validate()?;
    let tiling = config.tiling();
    let vae = file.load("", CausalVae::new(&config.vae, device)?)?;
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn tiling(field: Value) -> Tiling {
        let mut config = serde_json::to_value(VaeConfig::published()).unwrap();
        config["tiling"] = field;
        serde_json::from_value::<GoldenConfig>(config).unwrap().tiling()
    }

    #[test]
    fn sizes_that_a_file_leaves_out_are_those_of_the_configuration() {
        let implied = VaeConfig::published().tile_sizes();
        assert_eq!(tiling(Value::Null), Tiling::Off);
        assert_eq!(tiling(json!(false)), Tiling::Off);
        assert_eq!(tiling(json!(true)), Tiling::On);
        assert_eq!(tiling(json!({})), Tiling::Sized(implied));
        let some =
            json!({ "tile_sample_min_height": 48, "tile_overlap_factor_width": 0.4, "tile_sample_min_width": 0 });
        assert_eq!(tiling(some), Tiling::Sized(TileSizes { height: 48, overlap_width: 0.4, ..implied }));
    }
}
