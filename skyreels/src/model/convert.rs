//! A checkpoint in another precision.

use std::fs;
use std::path::Path;

use skyreels_core::checkpoint::{DIFFUSERS_STEM, Published, SHARD_BYTES, TRANSFORMERS_STEM, read_config, save};
use skyreels_core::{Device, Error as CoreError, Precision, Progress};
use skyreels_landmarks::compact::CompactConfig;
use skyreels_train::landmarks::FOLDER as LANDMARKS;
use skyreels_vae::{CausalVae, LandmarkGuider};

use super::{GUIDER, ModelDir, SCHEDULER, SIGLIP, TRANSFORMER, VAE};
use crate::Result;

/// Components that have weights.
const COMPONENTS: u64 = 4;

impl ModelDir {
    /// Writes the checkpoint into `directory` with weights in `precision` and without what inference does not use: the
    /// guider's decoder, text towers, states of training. Norms stay in f32; the vision tower is rounded like the rest, although
    /// it computes in f32. [Low-rank updates](Self::with_loras) are merged, and a landmark network beside the model
    /// goes along. One component is in memory at a time.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) for weights that do not fit, files that cannot be written, or when `progress` asks to stop.
    pub fn convert(&self, directory: &Path, precision: Precision, device: &Device, progress: Progress) -> Result<()> {
        let write = Writer { model: self, directory, precision, progress };
        progress.report(STAGE, 0, Some(COMPONENTS))?;
        write.save(TRANSFORMER, DIFFUSERS_STEM, &self.load_transformer(precision, device, progress)?)?;
        progress.report(STAGE, 1, Some(COMPONENTS))?;
        write.component(VAE, DIFFUSERS_STEM, CausalVae::new(&self.vae, device)?)?;
        progress.report(STAGE, 2, Some(COMPONENTS))?;
        write.component(GUIDER, DIFFUSERS_STEM, LandmarkGuider::new(&self.guider, device)?)?;
        progress.report(STAGE, 3, Some(COMPONENTS))?;
        write.component(SIGLIP, TRANSFORMERS_STEM, self.siglip.init(device)?)?;
        write.file(SCHEDULER, "scheduler_config.json")?;
        let landmarks = self.path().join(LANDMARKS).join("config.json");
        if landmarks.is_file() {
            let config: CompactConfig = read_config(landmarks)?;
            write.component(LANDMARKS, TRANSFORMERS_STEM, config.init(device)?)?;
        }
        Ok(progress.report(STAGE, COMPONENTS, Some(COMPONENTS))?)
    }
}

const STAGE: &str = "convert";

struct Writer<'a> {
    model: &'a ModelDir,
    directory: &'a Path,
    precision: Precision,
    progress: Progress<'a>,
}

impl Writer<'_> {
    fn component<M: Published>(&self, name: &str, stem: &str, module: M) -> Result<()> {
        let module = self.model.weights(name)?.load(module, self.precision, self.progress)?;
        self.save(name, stem, &module)
    }

    fn save<M: Published>(&self, name: &str, stem: &str, module: &M) -> Result<()> {
        self.file(name, "config.json")?;
        Ok(save(module, &self.directory.join(name), stem, SHARD_BYTES)?)
    }

    fn file(&self, component: &str, name: &str) -> Result<()> {
        let folder = self.directory.join(component);
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        let from = self.model.path().join(component).join(name);
        fs::copy(&from, folder.join(name)).map_err(CoreError::io("copy", &from))?;
        Ok(())
    }
}
