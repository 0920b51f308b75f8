//! Where examples come from, as a configuration names it.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::rendered::RenderedWorld;
use crate::Result;

/// A source of examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// People made by formula.
    Rendered(RenderedWorld),
}

impl Source {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(&self) -> Result<Box<dyn Dataset>> {
        Ok(match self {
            Self::Rendered(world) => Box::new(world.clone()),
        })
    }

    /// Examples that are not trained on, where the source knows some itself.
    pub fn held_out(&self) -> Option<Self> {
        match self {
            Self::Rendered(world) => Some(Self::Rendered(world.held_out())),
        }
    }
}
