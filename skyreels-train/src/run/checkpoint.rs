//! Checkpoints of a run: a model directory with the state of training beside it, there whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::Error as CoreError;
use skyreels_core::checkpoint::read_config;
use skyreels_core::output::write_file;

use super::history::History;
use crate::Result;
use crate::optimise::{read_tensors, write_tensors};

/// Folder of what training needs to go on and inference does not.
pub(crate) const STATE: &str = "training_state";
const PREFIX: &str = "step_";

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Stage under way, from 0; the number of stages when the run is over.
    pub stage: usize,
    /// Steps of it that are done.
    pub step: u64,
    /// Steps of all stages that are done.
    pub total: u64,
    /// Examples seen in all stages: the next one's cursor. With the seed, it is the state of all random numbers too.
    pub cursor: u64,
}

/// What is saved beside the model.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) position: Position,
    pub(super) seed: u64,
    /// Name of the stage under way.
    pub(super) stage: String,
    /// Steps that the average has seen.
    pub(super) average_steps: Option<u64>,
}

/// The state of training, in memory.
pub(super) struct Saved {
    pub(super) state: State,
    pub(super) history: History,
    /// f32 values of the parameters that are trained.
    pub(super) values: BTreeMap<String, Tensor<1>>,
    pub(super) optimizer: BTreeMap<String, Tensor<1>>,
    pub(super) average: BTreeMap<String, Tensor<1>>,
}

impl Saved {
    /// Writes the checkpoint of a run under its final name when everything is on the disk, then removes old ones.
    pub(super) fn write(&self, run: &Path, keep: usize, model: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        fs::create_dir_all(run).map_err(CoreError::io("create", run))?;
        let hidden = tempfile::Builder::new().prefix(".skyreels-").suffix(".part").tempdir_in(run);
        let hidden = hidden.map_err(CoreError::io("write into", run))?;
        model(hidden.path())?;
        let folder = hidden.path().join(STATE);
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        let text = serde_json::to_vec_pretty(&self.state).expect("numbers and names are valid JSON");
        write_file(folder.join("state.json"), &text)?;
        self.history.write_csv(&folder.join("history.csv"))?;
        for (name, tensors) in self.files() {
            write_tensors(&folder.join(name), tensors)?;
        }
        let target = run.join(format!("{PREFIX}{:08}", self.state.position.total));
        remove(run, &target)?;
        let hidden = hidden.keep();
        fs::rename(&hidden, &target).map_err(CoreError::io("rename to", &target))?;
        open_to_others(&target);
        sync(run);
        let steps = steps(run)?;
        for (_, old) in &steps[..steps.len().saturating_sub(keep)] {
            remove(run, old)?;
        }
        Ok(target)
    }

    fn files(&self) -> [(&'static str, &BTreeMap<String, Tensor<1>>); 3] {
        [
            ("parameters.safetensors", &self.values),
            ("optimizer.safetensors", &self.optimizer),
            ("average.safetensors", &self.average),
        ]
    }

    /// Reads the state beside a checkpoint's model.
    pub(super) fn read(checkpoint: &Path, device: &Device) -> Result<Self> {
        let folder = checkpoint.join(STATE);
        let state = read_config(folder.join("state.json"))?;
        let history = History::read_csv(&folder.join("history.csv"))?;
        let tensors = |name: &str| read_tensors(&folder.join(name), device);
        Ok(Self {
            state,
            history,
            values: tensors("parameters.safetensors")?,
            optimizer: tensors("optimizer.safetensors")?,
            average: tensors("average.safetensors")?,
        })
    }
}

/// The newest checkpoint of a run; `None` before the first one.
///
/// # Errors
/// When the directory cannot be read.
pub fn latest(run: &Path) -> Result<Option<PathBuf>> {
    if !run.exists() {
        return Ok(None);
    }
    Ok(steps(run)?.pop().map(|(_, path)| path))
}

/// Checkpoints by their step, oldest first.
fn steps(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut steps = Vec::new();
    for entry in fs::read_dir(run).map_err(CoreError::io("read", run))? {
        let entry = entry.map_err(CoreError::io("read", run))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        steps.extend(step.map(|step| (step, entry.path())));
    }
    steps.sort();
    Ok(steps)
}

/// Removes a directory of the run; from the first moment on nobody takes what is left of it for a checkpoint.
fn remove(run: &Path, path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let hidden = tempfile::Builder::new().prefix(".skyreels-").suffix(".old").tempdir_in(run);
    let hidden = hidden.map_err(CoreError::io("write into", run))?;
    fs::rename(path, hidden.path().join("removed")).map_err(CoreError::io("rename", path))?;
    hidden.close().map_err(CoreError::io("remove", path))?;
    Ok(())
}

/// A directory that was made as a private one takes the permissions of any new one.
fn open_to_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // That of the directory it lies in is as good as any.
        if let Some(parent) = path.parent().and_then(|parent| fs::metadata(parent).ok()) {
            let _ = fs::set_permissions(path, fs::Permissions::from_mode(parent.permissions().mode() & 0o777));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Makes a rename durable where the system can.
fn sync(directory: &Path) {
    #[cfg(unix)]
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
    #[cfg(not(unix))]
    let _ = directory;
}
