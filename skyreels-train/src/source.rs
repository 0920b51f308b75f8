//! Where examples come from, as a configuration names it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skyreels_core::Limits;

use crate::Result;
use crate::data::{Dataset, RenderedWorld};
use crate::prepare::PreparedDataset;

/// A source of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// People made by formula.
    Rendered(RenderedWorld),
    /// What `skyreels prepare` has made of videos: its manifest.
    Prepared(PathBuf),
}

impl Source {
    /// The same source with its files looked for in `folder`, unless their paths are absolute.
    #[must_use]
    pub fn in_folder(self, folder: &Path) -> Self {
        match self {
            Self::Rendered(world) => Self::Rendered(world),
            Self::Prepared(manifest) => Self::Prepared(folder.join(manifest)),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(&self) -> Result<Box<dyn Dataset>> {
        Ok(match self {
            Self::Rendered(world) => Box::new(world.clone()),
            Self::Prepared(manifest) => Box::new(PreparedDataset::open(manifest, &Limits::default())?),
        })
    }

    /// Examples that are not trained on, where the source knows some itself.
    pub fn held_out(&self) -> Option<Self> {
        match self {
            Self::Rendered(world) => Some(Self::Rendered(world.held_out())),
            Self::Prepared(_) => None,
        }
    }
}
