//! Runner for golden files of kind `scheduler`.

use std::collections::BTreeSet;
use std::fmt;

use burn::tensor::{Device, Tensor};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::file::Golden;
use super::report::{Report, Tolerance, row};
use crate::checkpoint::read_config;
use crate::diffusion::{BetaSchedule, Sampler, SamplerKind, Schedule, SchedulerConfig, Spacing};
use crate::{Error, Result};

/// Tables that are f64 in the original and here differ by the order of operations only.
const TABLE_TOLERANCE: Tolerance = Tolerance::Relative(1e-12);
/// The published configuration; where a file has it, the outputs that name no configuration are of it.
const PUBLISHED: &str = "5b";

/// Computes every table, timestep list and trajectory of a golden file of kind `scheduler`.
///
/// # Errors
/// Those of reading the file, [`Error::Malformed`] for inputs that do not belong together; a wrong number is a failed
/// row, not an error.
pub fn run(golden: &Golden, device: &Device) -> Result<Report> {
    let configs = Configs::read(golden)?;
    let mut report = Report::new(golden);
    let training = Schedule::new(&configs.main)?;
    table(&mut report, golden, "betas", training.config(), training.betas())?;
    for (name, config) in &configs.all.0 {
        let schedule = Schedule::new(config)?;
        table(&mut report, golden, &format!("alphas_cumprod_{name}"), config, schedule.alphas_cumprod())?;
    }
    let mut runs = BTreeSet::new();
    for output in golden.outputs() {
        if let Some(name) = output.strip_prefix("timesteps_") {
            timesteps(&mut report, golden, &output, name, &configs)?;
        } else if let Some((run, "prev" | "x0")) = output.rsplit_once('_') {
            runs.insert(run.to_string());
        }
    }
    for run in runs {
        trajectory(&mut report, golden, &run, &configs, device)?;
    }
    if golden.has_input("train_x0") {
        forward(&mut report, golden, &training, device)?;
    }
    Ok(report.finish(golden))
}

/// The configurations of a file.
struct Configs {
    all: InOrder,
    main: SchedulerConfig,
}

impl Configs {
    fn read(golden: &Golden) -> Result<Self> {
        #[derive(Deserialize)]
        struct Header {
            config: InOrder,
        }
        let Header { config: all } = read_config(golden.path())?;
        let main = all.get(PUBLISHED).or_else(|| all.0.first().map(|(_, config)| config)).cloned();
        let main = main
            .ok_or_else(|| Error::Config { path: golden.path().to_path_buf(), reason: "no scheduler config".into() })?;
        Ok(Self { all, main })
    }
}

/// Named configurations in the order of the file, which a JSON value would not keep.
struct InOrder(Vec<(String, SchedulerConfig)>);

impl InOrder {
    fn get(&self, name: &str) -> Option<&SchedulerConfig> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, config)| config)
    }
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("named scheduler configurations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn table(report: &mut Report, golden: &Golden, name: &str, config: &SchedulerConfig, values: &[f64]) -> Result<()> {
    if let Some(expected) = golden.expected(name)? {
        // The original's linear betas are f32, and all that follows from them.
        let double = expected.double && config.beta_schedule == BetaSchedule::ScaledLinear;
        let tolerance = if double { TABLE_TOLERANCE } else { Tolerance::Reference };
        report.rows.push(row(name, &[values.len()], values, &expected, tolerance));
    }
    Ok(())
}

/// A list named `{spacing}_{steps}` or `{config}_{spacing}_{steps}`.
fn timesteps(report: &mut Report, golden: &Golden, output: &str, name: &str, configs: &Configs) -> Result<()> {
    let unknown = || golden.malformed(format!("output `{output}` names no known spacing or configuration"));
    let (list, steps) = name.rsplit_once('_').ok_or_else(unknown)?;
    let steps = steps.parse().map_err(|_| unknown())?;
    let (config, spacing) = match list.rsplit_once('_') {
        Some((config, spacing)) => (configs.all.get(config).ok_or_else(unknown)?, spacing),
        None => (&configs.main, list),
    };
    let timestep_spacing = match spacing {
        "trailing" => Spacing::Trailing,
        "leading" => Spacing::Leading,
        "linspace" => Spacing::Linspace,
        _ => return Err(unknown()),
    };
    let schedule = Schedule::new(&SchedulerConfig { timestep_spacing, ..config.clone() })?;
    let ours: Vec<f64> = schedule.timesteps(steps)?.into_iter().map(|timestep| timestep as f64).collect();
    report.compare_values(golden, output, &[ours.len()], &ours, Tolerance::Exact)
}

/// A run named `{config}_n{steps}_{sampler}`: every step fed with the model outputs of the file.
fn trajectory(report: &mut Report, golden: &Golden, run: &str, configs: &Configs, device: &Device) -> Result<()> {
    let unknown = || golden.malformed(format!("outputs `{run}_..` name no known run"));
    let (inputs, sampler) = run.rsplit_once('_').ok_or_else(unknown)?;
    let (config, steps) = inputs.rsplit_once("_n").ok_or_else(unknown)?;
    let kind: SamplerKind = sampler.parse().map_err(|_| unknown())?;
    let schedule = Schedule::new(configs.all.get(config).ok_or_else(unknown)?)?;
    let steps: usize = steps.parse().map_err(|_| unknown())?;
    let mut sampler = Sampler::<5>::new(schedule, kind, steps)?;

    let mut sample: Tensor<5> = golden.tensor(&format!("{inputs}_sample"), device)?;
    let predictions: Tensor<6> = golden.tensor(&format!("{inputs}_model_outputs"), device)?;
    let noises: Option<Tensor<7>> = match kind {
        SamplerKind::Ddim => None,
        SamplerKind::Dpm => Some(golden.tensor(&format!("{inputs}_dpm_noise"), device)?),
    };
    let one = sample.dims();
    let [predicted, prediction @ ..] = predictions.dims();
    if predicted < steps || prediction != one {
        let reason = format!("input `{inputs}_model_outputs` is {:?}, not {steps} of {one:?}", predictions.dims());
        return Err(golden.malformed(reason));
    }
    let (noisy, draws) = match noises.as_ref().map(Tensor::dims) {
        Some([noisy, draws, shape @ ..]) if shape == one => (noisy, draws),
        Some(shape) => {
            return Err(golden.malformed(format!("input `{inputs}_dpm_noise` is {shape:?}, not steps, draws, {one:?}")));
        }
        None => (steps, 0),
    };
    let (mut samples, mut cleans) = (Vec::new(), Vec::new());
    for index in 0..steps {
        let prediction = predictions.clone().narrow(0, index, 1).squeeze_dim(0);
        let mut draw = 0;
        let noise = || {
            draw += 1;
            match &noises {
                Some(noises) if index < noisy && draw <= draws => {
                    let step: Tensor<6> = noises.clone().narrow(0, index, 1).squeeze_dim(0);
                    step.narrow(0, draw - 1, 1).squeeze_dim(0)
                }
                _ => Tensor::zeros(one, device),
            }
        };
        let step = sampler.step(index, prediction, sample, noise);
        if draw > draws || index >= noisy {
            let reason = format!("input `{inputs}_dpm_noise` holds {noisy} steps of {draws} draws, too few for {run}");
            return Err(golden.malformed(reason));
        }
        sample = step.previous;
        samples.push(sample.clone());
        cleans.push(step.x0);
    }
    report.compare(golden, &format!("{run}_prev"), Tensor::stack::<6>(samples, 0))?;
    report.compare(golden, &format!("{run}_x0"), Tensor::stack::<6>(cleans, 0))
}

/// The forward process, as training uses it.
fn forward(report: &mut Report, golden: &Golden, schedule: &Schedule, device: &Device) -> Result<()> {
    let x0: Tensor<5> = golden.tensor("train_x0", device)?;
    let noise: Tensor<5> = golden.tensor("train_noise", device)?;
    let total = schedule.config().num_train_timesteps;
    let read = |t: &f64| (*t >= 0.0 && *t < total as f64).then_some(*t as usize);
    let timesteps: Option<Vec<usize>> = golden.input("train_t")?.data.iter().map(read).collect();
    let timesteps = timesteps.filter(|timesteps| timesteps.len() == x0.dims()[0] && noise.dims() == x0.dims());
    let timesteps = timesteps.ok_or_else(|| {
        golden.malformed(format!(
            "inputs `train_x0` {:?}, `train_noise` {:?} and `train_t` do not belong together, or a timestep is not below {total}",
            x0.dims(),
            noise.dims()
        ))
    })?;
    report.compare(golden, "add_noise", schedule.add_noise(x0.clone(), noise.clone(), &timesteps))?;
    report.compare(golden, "velocity", schedule.velocity(x0, noise, &timesteps))
}
