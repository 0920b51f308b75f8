//! The loop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use skyreels_core::Progress;

use super::checkpoint::{Position, Saved, State, latest};
use super::history::{History, Record};
use super::replicas;
use super::settings::RunSettings;
use super::task::{Samples, Task};
use crate::optimise::{Average, Gradients, Optimizer, keys, overwrite, trainable_only, values};
use crate::stage::Stage;
use crate::{Error, Result};

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

/// A run under way.
#[derive(Debug)]
pub struct Trainer<T: Task> {
    task: T,
    /// Tasks on other devices, each of which computes a part of every batch.
    others: Vec<T>,
    settings: RunSettings,
    directory: PathBuf,
    networks: T::Networks,
    position: Position,
    stage: StageState,
    history: History,
}

/// What belongs to the stage under way.
#[derive(Debug)]
struct StageState {
    keys: BTreeSet<String>,
    optimizer: Optimizer,
    average: Option<Average>,
}

impl<T: Task> Trainer<T> {
    /// Begins a run that writes into `directory`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for settings that make no run or a directory that holds a run already, [`Error::NoParameter`] for a pattern
    /// without a parameter, and those of the task.
    pub fn start(task: T, networks: T::Networks, settings: RunSettings, directory: &Path) -> Result<Self> {
        settings.validate()?;
        for stage in &settings.stages {
            keys(&networks, &stage.parameters, &stage.name)?;
        }
        if let Some(checkpoint) = latest(directory)? {
            let reason = format!("{} is there: resume it, or name another directory", checkpoint.display());
            return Err(Error::invalid("output", reason));
        }
        Self::enter(task, networks, settings, directory, Position::default(), History::default())
    }

    /// Goes on where the newest checkpoint of `directory` was written; begins with `networks` where there is none.
    ///
    /// # Errors
    /// Those of [`start`](Self::start), and when the checkpoint cannot be read or belongs to other settings.
    pub fn resume(
        task: T,
        networks: impl FnOnce() -> Result<T::Networks>,
        settings: RunSettings,
        directory: &Path,
    ) -> Result<Self> {
        settings.validate()?;
        let Some(checkpoint) = latest(directory)? else {
            return Self::start(task, networks()?, settings, directory);
        };
        let saved = Saved::read(&checkpoint, task.device())?;
        let position = saved.state.position;
        let name = settings.stages.get(position.stage).map_or("", |stage| stage.name.as_str());
        if saved.state.seed != settings.seed || saved.state.stage != name {
            let reason = format!(
                "{} was written in stage `{}` with seed {}; these settings have `{name}` there and seed {}",
                checkpoint.display(),
                saved.state.stage,
                saved.state.seed,
                settings.seed
            );
            return Err(Error::invalid("resume", reason));
        }
        let networks = overwrite(task.load(&checkpoint)?, &saved.values);
        let mut trainer = Self::enter(task, networks, settings, directory, position, saved.history)?;
        if let Some(stage) = trainer.settings.stages.get(position.stage) {
            let optimizer = Optimizer::new(&stage.optimizer).with_state(saved.optimizer)?;
            trainer.stage.optimizer = optimizer;
            let reduced = trainer.reduced_keys();
            let masters = saved.values.into_iter().filter(|(key, _)| reduced.contains(key));
            // Before the first step of a stage there are no masters: the parameters themselves are all there is.
            if position.step > 0 {
                trainer.stage.optimizer.set_masters(masters.collect());
            }
            if let (Some(decay), Some(steps)) = (stage.average, saved.state.average_steps) {
                trainer.stage.average = Some(Average::restored(decay, steps, saved.average));
            }
        }
        Ok(trainer)
    }

    /// Prepares for the stage at `position`.
    fn enter(
        mut task: T,
        networks: T::Networks,
        settings: RunSettings,
        directory: &Path,
        position: Position,
        history: History,
    ) -> Result<Self> {
        let (networks, stage) = match settings.stages.get(position.stage) {
            None => (networks, StageState::over()),
            Some(stage) => {
                let keys = keys(&networks, &stage.parameters, &stage.name)?;
                let networks = task.begin(networks, stage, &keys, position.step == 0)?;
                let networks = trainable_only(networks, &keys);
                let average = stage.average.map(|decay| Average::new(decay, &networks, &keys));
                (networks, StageState { keys, optimizer: Optimizer::new(&stage.optimizer), average })
            }
        };
        Ok(Self {
            task,
            others: Vec::new(),
            settings,
            directory: directory.to_path_buf(),
            networks,
            position,
            stage,
            history,
        })
    }

    /// Computes every batch on several devices: the trainer's own, and those of `others`, which are the same task there.
    ///
    /// The same batch gives the same step on any number of devices, but for the order in which numbers are added up.
    ///
    /// # Errors
    /// Those of [`Task::begin`].
    pub fn with_others(mut self, mut others: Vec<T>) -> Result<Self> {
        if let Some(stage) = self.settings.stages.get(self.position.stage) {
            begin_others(&mut others, &self.networks, stage, &self.stage.keys)?;
        }
        self.others = others;
        Ok(self)
    }

    /// Keys of trained parameters that are not f32.
    fn reduced_keys(&self) -> BTreeSet<String> {
        crate::optimise::reduced(&self.networks, &self.stage.keys)
    }

    /// Where the run is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// True when every stage is done.
    pub fn is_over(&self) -> bool {
        self.position.stage >= self.settings.stages.len()
    }

    /// All steps so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The networks as they are trained: raw values, with gradients.
    pub fn networks(&self) -> &T::Networks {
        &self.networks
    }

    /// The networks as they are used: the average, where the stage has one.
    pub fn averaged(&self) -> T::Networks {
        match &self.stage.average {
            Some(average) => average.apply(self.networks.clone()),
            None => self.networks.clone(),
        }
    }

    /// The task.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// Takes one optimiser step.
    ///
    /// # Errors
    /// [`Error::Diverged`] when the loss or the gradient is no number, [`Error::Invalid`] when the run is over, and those of the task.
    pub fn step(&mut self) -> Result<&Record> {
        let since = Instant::now();
        let Some(stage) = self.settings.stages.get(self.position.stage) else {
            return Err(Error::invalid("run", "every stage is done"));
        };
        let part = stage.batch / stage.accumulate;
        let (mut loss, mut gradients) = (0.0, Gradients::default());
        for number in 0..stage.accumulate {
            let first = self.position.cursor + number * part;
            let share = 1.0 / stage.accumulate as f64;
            let devices = std::iter::once(&self.task).chain(&self.others);
            let tasks: Vec<&T> = devices.flat_map(|task| std::iter::repeat_n(task, self.settings.parts)).collect();
            let (value, found) = replicas::gradients(&tasks, &self.networks, first..first + part, share)?;
            loss += value;
            gradients.add(found);
        }
        let norm = match stage.clip_norm {
            Some(most) => gradients.clip(most),
            None => gradients.norm(),
        };
        for (what, value) in [("the loss", loss), ("the norm of the gradient", norm)] {
            if !value.is_finite() {
                return Err(Error::Diverged { step: self.position.step, what, value });
            }
        }
        let learning_rate = stage.learning_rate.at(self.position.step, stage.steps);
        // Gradients belong to the old values: nothing else may hold those, or they are copied.
        self.networks = self.stage.optimizer.step(self.networks.clone(), gradients, learning_rate);
        if let Some(average) = &mut self.stage.average {
            average.update(&self.networks, self.stage.optimizer.masters());
        }
        self.position.step += 1;
        self.position.total += 1;
        self.position.cursor += stage.batch;
        self.history.records.push(Record {
            stage: self.position.stage,
            step: self.position.step,
            loss,
            learning_rate,
            gradient_norm: norm,
            seconds: since.elapsed().as_secs_f64(),
            held_out: None,
        });
        Ok(&self.history.records[self.history.records.len() - 1])
    }

    /// Runs to the end, with logs and checkpoints. When `progress` asks to stop, a checkpoint is written first.
    ///
    /// # Errors
    /// Those of [`step`](Self::step) and [`save`](Self::save); [`Error::Core`] when cancelled.
    pub fn run(&mut self, progress: Progress, mut say: impl FnMut(Note) -> Result<()>) -> Result<()> {
        const STAGE: &str = "train";
        let all: u64 = self.settings.stages.iter().map(|stage| stage.steps).sum();
        let mut saved = self.position;
        while !self.is_over() {
            if let Err(cancelled) = progress.report(STAGE, self.position.total, Some(all)) {
                if saved != self.position {
                    say(Note::Saved(&self.save()?))?;
                }
                return Err(cancelled.into());
            }
            let stage = &self.settings.stages[self.position.stage];
            if self.position.step < stage.steps {
                self.step()?;
                self.tell(&mut say)?;
                self.validate(&mut say)?;
            }
            if self.position.step >= self.settings.stages[self.position.stage].steps {
                self.next_stage()?;
            } else if !self.position.total.is_multiple_of(self.settings.checkpoint_every) {
                continue;
            }
            say(Note::Saved(&self.save()?))?;
            saved = self.position;
        }
        Ok(progress.report(STAGE, all, Some(all))?)
    }

    /// Says how the last step was.
    fn tell(&self, say: &mut impl FnMut(Note) -> Result<()>) -> Result<()> {
        let Some(record) = self.history.records.last() else { return Ok(()) };
        let stage = &self.settings.stages[self.position.stage];
        let flops = self.task.flops(&self.networks, stage.batch) as f64 / record.seconds;
        say(Note::Step {
            record,
            stage: &stage.name,
            steps: stage.steps,
            examples_per_second: stage.batch as f64 / record.seconds,
            flops,
            utilisation: self.settings.peak_flops.map(|peak| flops / peak),
        })
    }

    fn validate(&mut self, say: &mut impl FnMut(Note) -> Result<()>) -> Result<()> {
        let every = self.settings.validate_every;
        if every == 0 || !self.position.total.is_multiple_of(every) {
            return Ok(());
        }
        let networks = self.averaged();
        let held_out = self.task.held_out_loss(&networks)?;
        if let Some(record) = self.history.records.last_mut() {
            record.held_out = held_out;
        }
        if let Some(loss) = held_out {
            say(Note::HeldOut { step: self.position.total, loss })?;
        }
        if let Some(samples) = self.task.samples(&networks)? {
            say(Note::Samples { step: self.position.total, samples })?;
        }
        Ok(())
    }

    /// Ends the stage: the next one begins with the average, where there is one, and with an optimiser of its own.
    fn next_stage(&mut self) -> Result<()> {
        let networks = self.averaged();
        self.position.stage += 1;
        self.position.step = 0;
        match self.settings.stages.get(self.position.stage) {
            None => {
                self.networks = networks;
                self.stage = StageState::over();
            }
            Some(stage) => {
                let keys = keys(&networks, &stage.parameters, &stage.name)?;
                let networks = self.task.begin(networks, stage, &keys, true)?;
                self.networks = trainable_only(networks, &keys);
                begin_others(&mut self.others, &self.networks, stage, &keys)?;
                let average = stage.average.map(|decay| Average::new(decay, &self.networks, &keys));
                self.stage = StageState { keys, optimizer: Optimizer::new(&stage.optimizer), average };
            }
        }
        Ok(())
    }

    /// Writes a checkpoint into a folder of its own and removes the oldest ones.
    ///
    /// # Errors
    /// When a file cannot be written; older checkpoints are untouched then.
    pub fn save(&self) -> Result<PathBuf> {
        let stage = self.settings.stages.get(self.position.stage);
        let mut trained = values(&self.networks, &self.stage.keys);
        trained.extend(self.stage.optimizer.masters().iter().map(|(key, value)| (key.clone(), value.clone())));
        let average = self.stage.average.as_ref();
        let saved = Saved {
            state: State {
                position: self.position,
                seed: self.settings.seed,
                stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
                average_steps: average.map(Average::steps),
            },
            history: self.history.clone(),
            values: trained,
            optimizer: self.stage.optimizer.state(),
            average: average.map(|average| average.values().clone()).unwrap_or_default(),
        };
        saved.write(&self.directory, self.settings.keep, |directory| self.task.save(&self.averaged(), directory))
    }
}

/// Prepares the tasks of other devices for a stage whose networks are ready.
fn begin_others<T: Task>(
    others: &mut [T],
    networks: &T::Networks,
    stage: &Stage,
    keys: &BTreeSet<String>,
) -> Result<()> {
    for task in others {
        let replica = networks.clone().fork(&task.device().clone().autodiff());
        task.begin(replica, stage, keys, false)?;
    }
    Ok(())
}

impl StageState {
    /// Behind the last stage.
    fn over() -> Self {
        Self { keys: BTreeSet::new(), optimizer: Optimizer::new(&Default::default()), average: None }
    }
}
