//! The transformer from disk.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use skyreels::{ModelDir, random_weights};
use skyreels_core::checkpoint::{DIFFUSERS_STEM, SHARD_BYTES, Weights, save};
use skyreels_core::{Device, Limits, Precision, Progress};

/// What loading took.
#[derive(Debug, Clone, Serialize)]
pub struct LoadMeasure {
    /// Bytes of the weights on disk.
    pub bytes: u64,
    /// Seconds until they were on the device; the files had just been written, so they came from the page cache as far
    /// as that is large enough.
    pub seconds: f64,
}

/// Writes the transformer of `model` with random weights into `scratch`, loads it to `device`, and removes it again.
///
/// # Errors
/// When it cannot be written or read.
pub fn measure_load(
    model: &ModelDir,
    precision: Precision,
    device: &Device,
    scratch: &Path,
) -> Result<LoadMeasure, Box<dyn std::error::Error>> {
    let folder = tempfile::Builder::new().prefix("skyreels-load-").tempdir_in(scratch)?;
    let empty = || model.transformer.init(device);
    save(&random_weights(empty()?, precision), folder.path(), DIFFUSERS_STEM, SHARD_BYTES)?;
    device.memory_cleanup();
    let files = std::fs::read_dir(folder.path())?;
    let bytes = files.map(|file| Ok(file?.metadata()?.len())).sum::<std::io::Result<u64>>()?;
    device.sync()?;
    let start = Instant::now();
    let loaded = Weights::open(folder.path(), &Limits::default())?.load(empty()?, precision, Progress::none())?;
    device.sync()?;
    let seconds = start.elapsed().as_secs_f64();
    drop(loaded);
    Ok(LoadMeasure { bytes, seconds })
}
