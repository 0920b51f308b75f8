//! `skyreels train`.

mod config;
#[cfg(feature = "dashboard")]
mod dashboard;
mod lines;
mod view;

use std::fs;
#[cfg(feature = "dashboard")]
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;
use skyreels::ModelDir;
use skyreels::animate::RATE;
use skyreels::core::checkpoint::LORA_FILE;
use skyreels::core::device::open_all;
use skyreels::core::media::{ClipWriter, VideoOptions, write_picture};
use skyreels::core::{Device, Error as CoreError, Limits, Precision, Progress};
use skyreels::train::Result as TrainResult;
use skyreels::train::autoencoder::{AutoencoderSettings, AutoencoderTask};
use skyreels::train::data::Dataset;
use skyreels::train::diffusion::{DiffusionSettings, DiffusionTask};
use skyreels::train::guider::{GuiderSettings, GuiderTask};
use skyreels::train::landmarks::LandmarkTask;
use skyreels::train::run::{Note, Samples, Task, Trainer, draw_loss, latest};

use self::config::{Config, TaskConfig, read_config};
use self::lines::Lines;
use self::view::View;
use super::args::Train;
use super::source::request;
use super::{Outcome, Reporter, Result};

type Examples = Box<dyn Dataset>;

pub fn run(args: &Train, reporter: &Reporter) -> Result {
    let mut config = read_config(&args.config, &args.with)?;
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    config.run.validate()?;
    let devices = open_all(&args.device)?;
    if !args.resume && latest(&args.out)?.is_some() {
        let reason = format!("{} holds checkpoints; add --resume, or name another directory", args.out.display());
        return Err(request("out", reason));
    }
    fs::create_dir_all(&args.out).map_err(CoreError::io("create", &args.out))?;
    Session {
        config: &config,
        out: &args.out,
        devices: &devices,
        #[cfg(feature = "dashboard")]
        dashboard: args.dashboard,
        reporter,
    }
    .run()
}

struct Session<'a> {
    config: &'a Config,
    out: &'a Path,
    /// The first one holds the parameters.
    devices: &'a [Device],
    /// Curves instead of lines.
    #[cfg(feature = "dashboard")]
    dashboard: bool,
    reporter: &'a Reporter,
}

impl Session<'_> {
    fn run(&self) -> Result {
        match &self.config.task {
            TaskConfig::Diffusion(settings) => self.diffusion(settings),
            TaskConfig::Autoencoder(settings) => self.autoencoder(settings),
            TaskConfig::Guider(settings) => self.guider(settings),
            TaskConfig::Landmarks(settings) => {
                let make = |device| LandmarkTask::new(settings.clone(), device);
                let tasks = self.devices.iter().map(make).collect::<TrainResult<Vec<_>>>()?;
                let first = make(&self.devices[0])?;
                self.train(tasks, || match self.config.begins_with() {
                    Some(model) => first.load(model),
                    None => first.networks(),
                })
            }
        }
    }

    fn model(&self) -> Result<ModelDir> {
        ModelDir::open(self.config.model()?, &Limits::default())
    }

    fn data(&self) -> Result<(Examples, Option<Examples>)> {
        let (data, held_out) = self.config.sources()?;
        Ok((data.open()?, held_out.map(|source| source.open()).transpose()?))
    }

    fn diffusion(&self, settings: &DiffusionSettings) -> Result {
        let (model, (data, held_out)) = (self.model()?, self.data()?);
        let precision = match &self.config.precision {
            Some(name) => name.parse()?,
            None => Precision::F32,
        };
        let seed = self.config.run.seed;
        let make = |device: &Device| -> Result<_> {
            let parts = model.training_parts(precision, device, self.reporter.progress())?;
            Ok(DiffusionTask::new(parts, *settings, &*data, held_out.as_deref(), seed, device)?)
        };
        let tasks = self.devices.iter().map(make).collect::<Result<Vec<_>>>()?;
        let loader = tasks[0].loader();
        self.train(tasks, || loader.networks(model.path()))
    }

    fn autoencoder(&self, settings: &AutoencoderSettings) -> Result {
        let (model, (data, held_out)) = (self.model()?, self.data()?);
        let (path, seed) = (model.path(), self.config.run.seed);
        let make =
            |device| AutoencoderTask::new(&model.vae, path, *settings, &*data, held_out.as_deref(), seed, device);
        let tasks = self.devices.iter().map(make).collect::<TrainResult<Vec<_>>>()?;
        let loader = make(&self.devices[0])?;
        self.train(tasks, || loader.networks(path))
    }

    fn guider(&self, settings: &GuiderSettings) -> Result {
        let (model, (data, held_out)) = (self.model()?, self.data()?);
        let (path, seed) = (model.path(), self.config.run.seed);
        let make = |device| GuiderTask::new(&model.guider, path, *settings, &*data, held_out.as_deref(), seed, device);
        let tasks = self.devices.iter().map(make).collect::<TrainResult<Vec<_>>>()?;
        let networks = tasks[0].networks(path);
        self.train(tasks, || networks)
    }

    /// Runs one task per device.
    fn train<T: Task>(&self, mut tasks: Vec<T>, networks: impl FnOnce() -> TrainResult<T::Networks>) -> Result {
        let others = tasks.split_off(1);
        let first = tasks.remove(0);
        let mut trainer = Trainer::resume(first, networks, self.config.run.clone(), self.out)?.with_others(others)?;
        let position = trainer.position();
        if position.total > 0 {
            let object = json!({ "event": "resumed", "step": position.total, "stage": position.stage });
            self.reporter.say(&format!("goes on after step {}", position.total), object);
        }
        let ended = self.show(&mut trainer)?;
        // What was seen is worth keeping, however the run has ended.
        let history = trainer.history();
        history.write_csv(&self.out.join("loss.csv"))?;
        if !history.records.is_empty() {
            write_picture(self.out.join("loss.png"), &draw_loss(history))?;
        }
        ended?;
        let newest = latest(self.out)?;
        let lora = newest.as_ref().map(|path| path.join(LORA_FILE)).filter(|file| file.is_file());
        let text = match (&newest, &lora) {
            (Some(path), Some(lora)) => {
                format!(
                    "trained; the model is {}, frozen, and its LoRA {} (`animate --lora`)",
                    path.display(),
                    lora.display()
                )
            }
            (Some(path), None) => format!("trained; the model is {}", path.display()),
            (None, _) => "there was nothing to train".to_string(),
        };
        let steps = history.records.len();
        self.reporter.result(&text, json!({ "event": "done", "output": newest, "lora": lora, "steps": steps }));
        Ok(Outcome::Done)
    }

    /// Runs to the end, and shows it as lines or as curves.
    fn show<T: Task>(&self, trainer: &mut Trainer<T>) -> Result<TrainResult<()>> {
        #[cfg(feature = "dashboard")]
        if self.dashboard {
            let mut dashboard = dashboard::Dashboard::open(self.reporter)?;
            let asked_to_stop = dashboard.asked_to_stop();
            let beat = |_| if asked_to_stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            return Ok(self.watch(trainer, Progress::new(&beat), &mut dashboard));
        }
        Ok(self.watch(trainer, self.reporter.progress(), &mut Lines::new(self.reporter)))
    }

    fn watch<T: Task>(&self, trainer: &mut Trainer<T>, progress: Progress, view: &mut dyn View) -> TrainResult<()> {
        trainer.run(progress, |note| {
            let written = match &note {
                Note::Samples { step, samples } => Some(self.write_samples(*step, samples)?),
                _ => None,
            };
            view.tell(&note, written.as_deref());
            Ok(())
        })
    }

    /// Samples as a clip.
    fn write_samples(&self, step: u64, samples: &Samples) -> TrainResult<PathBuf> {
        let folder = self.out.join("samples");
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        let path = folder.join(format!("step_{step:08}.mp4"));
        let mut writer = ClipWriter::create(&path, RATE, &VideoOptions::default())?;
        samples.frames.iter().try_for_each(|frame| writer.push(frame))?;
        writer.finish()?;
        Ok(path)
    }
}
