//! One forward pass of the transformer with all stored intermediates.

use burn::tensor::{Device, Tensor};
use skyreels_core::golden::{Golden, Report, Row};

use super::{compare_trace, malformed};
use crate::Result;
use crate::trace::Trace;
use crate::transformer::{Rotary, TransformerConfig};

/// The original computes its tables in f32: rotations by up to 45 rows are this far from exact.
const ROTARY_TOLERANCE: f64 = 1e-5;

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: TransformerConfig = file.config("")?;
    let model = file.load("", config.init(device)?)?;

    let latents: Tensor<5> = file.tensor("hidden_states", device)?;
    let identity = file.tensor("encoder_hidden_states", device)?;
    let [_, frames, _, height, width] = latents.dims();
    let rotary = config.rotary(frames, height, width, device)?;
    let mut report = Report::new(file);
    compare_rotary(&mut report, file, &config, &rotary)?;

    let mut trace = Trace::on();
    let identity = model.embed_identity(identity)?;
    let sample = model.denoise(latents, identity, &timesteps(file, "timestep")?, &rotary, &mut trace)?;
    compare_trace(&mut report, file, &trace)?;
    report.compare(file, "sample", sample)?;
    Ok(report.finish(file))
}

/// The timesteps of an input.
pub(super) fn timesteps(file: &Golden, name: &str) -> Result<Vec<usize>> {
    let whole = |t: &f64| (*t >= 0.0 && t.fract() == 0.0).then_some(*t as usize);
    let steps: Option<Vec<usize>> = file.input(name)?.data.iter().map(whole).collect();
    steps.ok_or_else(|| malformed(file, format!("input `{name}` holds a number that is not a timestep")))
}

/// The tables that the original was given must be those that we compute from the sizes: a row for
/// each. The forward pass takes ours whatever they say.
fn compare_rotary(report: &mut Report, file: &Golden, config: &TransformerConfig, rotary: &Rotary) -> Result<()> {
    for (name, ours) in [("rope_cos", rotary.cos()), ("rope_sin", rotary.sin())] {
        if !file.has_input(name) {
            continue;
        }
        let theirs = file.input(name)?;
        let shape = ours.dims();
        let mut row = Row {
            tensor: format!("in.{name}"),
            shape: theirs.shape.clone(),
            max_abs: f64::NAN,
            rel_l2: f64::NAN,
            reference: None,
            tolerance: ROTARY_TOLERANCE,
            failure: None,
        };
        if !config.use_rotary_positional_embeddings {
            row.failure = Some("the configuration has no rotary positions".into());
        } else if theirs.shape != shape {
            row.failure = Some(format!("shape {shape:?}"));
        } else {
            (row.max_abs, row.rel_l2) = difference(ours, &theirs.data);
            if row.rel_l2.is_nan() || row.rel_l2 > ROTARY_TOLERANCE {
                row.failure = Some("not the table of these sizes".into());
            }
        }
        report.rows.push(row);
    }
    Ok(())
}

/// Largest absolute and relative L2 difference.
fn difference(ours: Tensor<2>, theirs: &[f64]) -> (f64, f64) {
    let ours: Vec<f64> = ours.into_data().iter::<f64>().collect();
    let differences = || ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let scale = squares(&mut theirs.iter().copied()).max(f64::MIN_POSITIVE);
    (differences().fold(0.0, f64::max), (squares(&mut differences()) / scale).sqrt())
}
