//! Peak memory of loading a checkpoint, beside the size of the model.
//!
//! `load_peak write DIR` makes the published VAE's checkpoint (431 MB, bf16); `load_peak load DIR [f32|bf16]`, a process
//! of its own, loads it, prints the peak over the size, and fails when that is too much.

use std::error::Error;

use serde_json::json;
use skyreels_benches::peak_rss_mib;
use skyreels_core::checkpoint::{DIFFUSERS_STEM, Published, SHARD_BYTES, Weights, fill, save};
use skyreels_core::{Limits, Precision, Progress, open_device};
use skyreels_vae::{CausalVae, VaeConfig};

const MIB: f64 = (1 << 20) as f64;
/// Loading may take this much more than the model itself.
const MOST: f64 = 1.15;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "load_peak write DIR | load_peak load DIR [PRECISION]";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = open_device("cpu")?;
    let empty = CausalVae::new(&VaeConfig::published(), &device)?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", directory] => {
            std::fs::create_dir_all(directory)?;
            let model = fill(empty, Precision::BF16, |_, shape| vec![0.01; shape.iter().product()]);
            save(&model, directory.as_ref(), DIFFUSERS_STEM, SHARD_BYTES)?;
        }
        ["load", directory, ref rest @ ..] => {
            let precision: Precision = rest.first().copied().unwrap_or("f32").parse()?;
            let parameters: usize =
                empty.published_shapes().values().map(|shape| shape.iter().product::<usize>()).sum();
            let size = (parameters * precision.bytes()) as f64 / MIB;
            let before = peak_rss_mib().ok_or("this system does not tell the peak")?;
            let weights = Weights::open(directory, &Limits::default())?;
            let model = weights.load(empty, precision, Progress::none())?;
            let peak = peak_rss_mib().ok_or("this system does not tell the peak")?;
            let ratio = (peak - before) / size;
            let report = json!({
                "precision": precision.to_string(), "model_mib": size, "peak_mib": peak - before, "ratio": ratio,
            });
            println!("{report}");
            drop(model);
            if ratio > MOST {
                return Err(format!("loading takes {ratio:.2} times the model, more than {MOST}").into());
            }
        }
        _ => return Err(usage.into()),
    }
    Ok(())
}
