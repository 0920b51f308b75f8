//! One forward pass of the transformer with all stored intermediates.

use burn::tensor::{Device, Tensor};
use skyreels_core::golden::{Golden, Report};
use skyreels_core::{Precision, Progress};

use super::compare_trace;
use crate::trace::Trace;
use crate::transformer::{Rotary, TransformerConfig};
use crate::{Error, Result};

/// The original computes its tables in f32: rotations by up to 45 rows are this far from exact.
const ROTARY_TOLERANCE: f64 = 1e-5;

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: TransformerConfig = file.config("")?;
    let model = file.weights("").load(config.init(device)?, Precision::F32, Progress::none())?;

    let latents: Tensor<5> = file.tensor("hidden_states", device)?;
    let identity = file.tensor("encoder_hidden_states", device)?;
    let [_, frames, _, height, width] = latents.dims();
    let timesteps: Vec<usize> = file.input("timestep")?.data.iter().map(|t| *t as usize).collect();
    let rotary = config.rotary(frames, height, width, device)?;
    check_rotary(file, &rotary)?;

    let mut trace = Trace::on();
    let identity = model.embed_identity(identity)?;
    let sample = model.denoise(latents, identity, &timesteps, &rotary, &mut trace)?;
    let mut report = Report::new(file);
    compare_trace(&mut report, file, &trace)?;
    report.compare(file, "sample", sample)?;
    Ok(report.finish(file))
}

/// The tables that the original was given must be those that we compute from the sizes.
fn check_rotary(file: &Golden, rotary: &Rotary) -> Result<()> {
    for (name, ours) in [("rope_cos", rotary.cos()), ("rope_sin", rotary.sin())] {
        if !file.has_input(name) {
            continue;
        }
        let theirs = file.input(name)?;
        let malformed =
            |reason: String| Error::Core(skyreels_core::Error::malformed(file.path(), "golden file", reason));
        if theirs.shape != ours.dims() {
            return Err(malformed(format!("input `{name}` has shape {:?}, computed {:?}", theirs.shape, ours.dims())));
        }
        let ours: Vec<f64> = ours.into_data().iter::<f64>().collect();
        let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let difference = squares(&mut ours.iter().zip(&theirs.data).map(|(a, b)| a - b));
        let relative = (difference / squares(&mut theirs.data.iter().copied()).max(f64::MIN_POSITIVE)).sqrt();
        if relative > ROTARY_TOLERANCE || relative.is_nan() {
            return Err(malformed(format!("input `{name}` differs from the computed table by {relative:.2e}")));
        }
    }
    Ok(())
}
