//! Runner for golden files of kind `scheduler`.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::file::Golden;
use super::report::{Report, Tolerance};
use crate::diffusion::{Sampler, SamplerKind, Schedule, SchedulerConfig, Spacing};
use crate::{Error, Result};

/// Tables are f64 in the original and here; only the order of operations differs.
const TABLE_TOLERANCE: Tolerance = Tolerance::Relative(1e-12);

/// Computes every table, timestep list and trajectory of a golden file of kind `scheduler`.
///
/// # Errors
/// Those of reading the file; a wrong number is a failed row, not an error.
pub fn run(golden: &Golden, device: &Device) -> Result<Report> {
    let configs: BTreeMap<String, SchedulerConfig> = golden.config("")?;
    let mut report = Report::new(golden);
    let (first, training) = configs
        .get_key_value("5b")
        .or_else(|| configs.iter().next())
        .ok_or_else(|| Error::Config { path: golden.path().to_path_buf(), reason: "no scheduler config".into() })?;
    let training = Schedule::new(training)?;
    table(&mut report, golden, "betas", training.betas())?;
    for (name, config) in &configs {
        let schedule = Schedule::new(config)?;
        table(&mut report, golden, &format!("alphas_cumprod_{name}"), schedule.alphas_cumprod())?;
    }
    for output in golden.outputs() {
        if let Some((spacing, steps)) = output.strip_prefix("timesteps_").and_then(|rest| rest.rsplit_once('_')) {
            timesteps(&mut report, golden, &output, &configs[first], spacing, steps)?;
        } else if let Some((run, "prev")) = output.rsplit_once('_') {
            trajectory(&mut report, golden, run, &configs, device)?;
        }
    }
    if golden.has_input("train_x0") {
        let x0: Tensor<5> = golden.input("train_x0")?.tensor(device);
        let noise: Tensor<5> = golden.input("train_noise")?.tensor(device);
        let timesteps: Vec<usize> = golden.input("train_t")?.data.iter().map(|t| *t as usize).collect();
        report.compare(golden, "add_noise", training.add_noise(x0.clone(), noise.clone(), &timesteps))?;
        report.compare(golden, "velocity", training.velocity(x0, noise, &timesteps))?;
    }
    Ok(report.finish(golden))
}

fn table(report: &mut Report, golden: &Golden, name: &str, values: &[f64]) -> Result<()> {
    report.compare_values(golden, name, &[values.len()], values, TABLE_TOLERANCE)
}

fn timesteps(
    report: &mut Report,
    golden: &Golden,
    output: &str,
    config: &SchedulerConfig,
    spacing: &str,
    steps: &str,
) -> Result<()> {
    let timestep_spacing = match spacing {
        "trailing" => Spacing::Trailing,
        "leading" => Spacing::Leading,
        _ => Spacing::Linspace,
    };
    let steps =
        steps.parse().map_err(|_| Error::malformed(golden.path(), "golden file", format!("output `{output}`")))?;
    let schedule = Schedule::new(&SchedulerConfig { timestep_spacing, ..config.clone() })?;
    let ours: Vec<f64> = schedule.timesteps(steps)?.into_iter().map(|timestep| timestep as f64).collect();
    report.compare_values(golden, output, &[ours.len()], &ours, Tolerance::Exact)
}

/// A run named `{config}_n{steps}_{sampler}`: every step fed with the model outputs of the file.
fn trajectory(
    report: &mut Report,
    golden: &Golden,
    run: &str,
    configs: &BTreeMap<String, SchedulerConfig>,
    device: &Device,
) -> Result<()> {
    let unknown = || Error::malformed(golden.path(), "golden file", format!("output `{run}_prev` names no known run"));
    let (inputs, sampler) = run.rsplit_once('_').ok_or_else(unknown)?;
    let (config, steps) = inputs.rsplit_once("_n").ok_or_else(unknown)?;
    let kind: SamplerKind = sampler.parse()?;
    let schedule = Schedule::new(configs.get(config).ok_or_else(unknown)?)?;
    let mut sampler = Sampler::<5>::new(schedule, kind, steps.parse().map_err(|_| unknown())?)?;

    let predictions: Tensor<6> = golden.input(&format!("{inputs}_model_outputs"))?.tensor(device);
    let noises: Option<Tensor<7>> = match kind {
        SamplerKind::Ddim => None,
        SamplerKind::Dpm => Some(golden.input(&format!("{inputs}_dpm_noise"))?.tensor(device)),
    };
    let mut sample: Tensor<5> = golden.input(&format!("{inputs}_sample"))?.tensor(device);
    let (mut samples, mut cleans) = (Vec::new(), Vec::new());
    for index in 0..sampler.timesteps().len() {
        let prediction = predictions.clone().narrow(0, index, 1).squeeze_dim(0);
        let mut draw = 0;
        let noise = || {
            let step: Tensor<6> = noises.clone().expect("only DPM asks for noise").narrow(0, index, 1).squeeze_dim(0);
            draw += 1;
            step.narrow(0, draw - 1, 1).squeeze_dim(0)
        };
        let step = sampler.step(index, prediction, sample, noise);
        sample = step.previous;
        samples.push(sample.clone());
        cleans.push(step.x0);
    }
    report.compare(golden, &format!("{run}_prev"), Tensor::stack::<6>(samples, 0))?;
    report.compare(golden, &format!("{run}_x0"), Tensor::stack::<6>(cleans, 0))
}
