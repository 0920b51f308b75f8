//! A checkpoint as training needs it.

use skyreels_core::{Device, Precision, Progress};
use skyreels_train::diffusion::Parts;

use super::ModelDir;
use crate::Result;

impl ModelDir {
    /// The networks that training leaves as they are, and the sizes of those that it changes.
    ///
    /// # Errors
    /// [`Error::Core`](crate::Error::Core) for weights that do not fit.
    pub fn training_parts(&self, precision: Precision, device: &Device, progress: Progress) -> Result<Parts> {
        Ok(Parts {
            vae: self.load_vae(Precision::F32, device, progress)?,
            siglip: self.load_siglip(device, progress)?,
            schedule: self.schedule.clone(),
            transformer: self.transformer.clone(),
            guider: self.guider.clone(),
            base: self.path().to_path_buf(),
            precision,
        })
    }
}
