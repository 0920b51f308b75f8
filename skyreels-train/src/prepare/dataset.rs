//! A prepared dataset, clip by clip.

use std::path::{Path, PathBuf};

use skyreels_core::Limits;

use super::clip::PreparedClip;
use super::manifest::{ClipRow, Row, read_manifest};
use super::shard;
use crate::data::{Dataset, Example, Moving};
use crate::{Error, Result};

/// The clips of a manifest.
#[derive(Debug, Clone)]
pub struct PreparedDataset {
    folder: PathBuf,
    clips: Vec<ClipRow>,
    limits: Limits,
}

impl PreparedDataset {
    /// Opens a manifest; clips are read when they are asked for.
    ///
    /// # Errors
    /// Those of [`read_manifest`]; [`Error::Invalid`] when it has no clip.
    pub fn open(manifest: &Path, limits: &Limits) -> Result<Self> {
        let rows = read_manifest(manifest, limits)?;
        let clips: Vec<ClipRow> =
            rows.into_iter().filter_map(|row| if let Row::Clip(clip) = row { Some(clip) } else { None }).collect();
        if clips.is_empty() {
            let reason = format!("{} has no clip", manifest.display());
            return Err(Error::Invalid { what: "dataset", reason });
        }
        let folder = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { folder, clips, limits: *limits })
    }

    /// What is known about the clips without reading them.
    pub fn clips(&self) -> &[ClipRow] {
        &self.clips
    }

    /// Reads a clip.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a number that no clip has; [`Error::Core`] when its shard is missing or damaged.
    pub fn read(&self, index: usize) -> Result<PreparedClip> {
        let Some(row) = self.clips.get(index) else {
            let reason = format!("clip {index} of {}", self.clips.len());
            return Err(Error::Invalid { what: "dataset", reason });
        };
        shard::read(&self.folder.join(&row.shard), row.clip, &self.limits)
    }
}

/// Clips as they are trained on: the first frame is the portrait.
impl Dataset for PreparedDataset {
    fn len(&self) -> u64 {
        self.clips.len() as u64
    }

    fn example(&self, index: u64) -> Result<Example> {
        let clip = self.read(usize::try_from(index).unwrap_or(usize::MAX))?;
        let size = clip.weights_size();
        let PreparedClip { frames, guide, identity, weights, latents, tokens } = clip;
        let portrait = frames.first().cloned().ok_or_else(|| {
            let reason = format!("clip {index} has no frame");
            Error::Invalid { what: "dataset", reason }
        })?;
        let moving = Some(Moving::Weights { values: weights, size });
        Ok(Example { video: frames, guide, portrait, face: identity, moving, latents, tokens })
    }
}
