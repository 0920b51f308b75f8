//! The small model that comes with the program.

use std::io;
use std::path::Path;
use std::sync::Once;

use skyreels::ModelDir;
use skyreels::core::{Device, Error as CoreError, Limits};
use skyreels::landmarks::compact::CompactLandmarker;
use tempfile::TempDir;

use super::{Reporter, Result};

/// What everybody should know who uses it.
const MODEL_NOTE: &str = "no --model given: this is the small model that comes with the program, trained on rendered people only; \
    photographs need the published one (https://huggingface.co/Skywork/SkyReels-A1)";
const LANDMARKS_NOTE: &str = "no --face-model given: faces are found by the small network that comes with the program, trained on \
    rendered people only; photographs need MediaPipe's";

/// The model in `path`; without one the small model, and the directory that it lies in for as long as it is used.
pub fn open(path: Option<&Path>, reporter: &Reporter) -> Result<(ModelDir, Option<TempDir>)> {
    if let Some(path) = path {
        return Ok((ModelDir::open(path, &Limits::default())?, None));
    }
    reporter.note(MODEL_NOTE);
    let scratch = scratch(skyreels_nano::write)?;
    Ok((ModelDir::open(scratch.path(), &Limits::default())?, Some(scratch)))
}

/// The landmark network.
pub fn landmarker(device: &Device, reporter: &Reporter) -> Result<CompactLandmarker> {
    static SAID: Once = Once::new();
    SAID.call_once(|| reporter.note(LANDMARKS_NOTE));
    let scratch = scratch(skyreels_nano::write_landmarks)?;
    let folder = scratch.path().join(skyreels_nano::LANDMARKS);
    // Its weights are on the device when it is open.
    Ok(CompactLandmarker::open(&folder, &Limits::default(), device)?)
}

fn scratch(write: impl FnOnce(&Path) -> io::Result<()>) -> Result<TempDir> {
    let failed = || CoreError::io("write the small model into", std::env::temp_dir());
    let scratch = tempfile::tempdir().map_err(failed())?;
    write(scratch.path()).map_err(failed())?;
    Ok(scratch)
}
