//! The loop.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use skyreels_core::Progress;
use skyreels_core::checkpoint::LORA_FILE;

use super::checkpoint::{Position, Saved, State, latest};
use super::history::{History, Record};
use super::learner::{Learner, Selection};
use super::note::Note;
use super::replicas;
use super::settings::RunSettings;
use super::task::Task;
use crate::data::mix;
use crate::optimise::{Gradients, overwrite};
use crate::stage::Stage;
use crate::{Error, Result};

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
    learner: Learner,
    history: History,
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
            Selection::of(&networks, stage)?.muon(&networks, stage)?;
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
        let history = saved.history.clone();
        let mut trainer = Self::enter(task, networks, settings, directory, position, history)?;
        let networks = trainer.networks.clone();
        trainer.networks = match trainer.settings.stages.get(position.stage) {
            Some(stage) => trainer.learner.restore(networks, stage, saved)?,
            None => trainer.learner.restore_end(networks, trainer.settings.stages.last(), &saved)?,
        };
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
        let (networks, learner) = match settings.stages.get(position.stage) {
            None => (networks, Learner::default()),
            Some(stage) => begin(&mut task, networks, stage, settings.seed, position)?,
        };
        Ok(Self {
            task,
            others: Vec::new(),
            settings,
            directory: directory.to_path_buf(),
            networks,
            position,
            learner,
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
            begin_others(&mut others, &self.networks, stage, self.learner.selection())?;
        }
        self.others = others;
        Ok(self)
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
        self.learner.averaged(self.networks.clone())
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
        let norm = self.learner.prepare(&mut gradients, stage.clip_norm);
        for (what, value) in [("the loss", loss), ("the norm of the gradient", norm)] {
            if !value.is_finite() {
                return Err(Error::Diverged { step: self.position.step, what, value });
            }
        }
        let learning_rate = stage.learning_rate.at(self.position.step, stage.steps);
        // Gradients belong to the old values: nothing else may hold those, or they are copied.
        self.networks = self.learner.step(self.networks.clone(), gradients, learning_rate);
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
                self.learner.end();
            }
            Some(stage) => {
                let seed = self.settings.seed;
                (self.networks, self.learner) = begin(&mut self.task, networks, stage, seed, self.position)?;
                begin_others(&mut self.others, &self.networks, stage, self.learner.selection())?;
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
        let saved = Saved {
            state: State {
                position: self.position,
                seed: self.settings.seed,
                stage: stage.map(|stage| stage.name.clone()).unwrap_or_default(),
                average_steps: self.learner.average_steps(),
            },
            history: self.history.clone(),
            values: self.learner.values(&self.networks),
            optimizer: self.learner.optimizer_state(),
            average: self.learner.average_values(),
        };
        saved.write(&self.directory, self.settings.keep, |directory| {
            self.task.save(&self.learner.frozen(self.averaged()), directory)?;
            match self.learner.lora() {
                Some(lora) => lora.save(&directory.join(LORA_FILE)),
                None => Ok(()),
            }
        })
    }
}

/// Prepares networks for the stage at `position`, and what changes them.
fn begin<T: Task>(
    task: &mut T,
    networks: T::Networks,
    stage: &Stage,
    seed: u64,
    position: Position,
) -> Result<(T::Networks, Learner)> {
    let selection = Selection::of(&networks, stage)?;
    let networks = task.begin(networks, stage, &selection.all(), position.step == 0)?;
    Learner::begin(networks, stage, selection, mix(seed, position.stage as u64))
}

/// Prepares the tasks of other devices for a stage whose networks are ready.
fn begin_others<T: Task>(others: &mut [T], networks: &T::Networks, stage: &Stage, selection: &Selection) -> Result<()> {
    for task in others {
        let replica = networks.clone().fork(&task.device().clone().autodiff());
        task.begin(replica, stage, &selection.all(), false)?;
    }
    Ok(())
}
