//! A list of pairs as a file.

use std::collections::BTreeSet;
use std::path::{Component, Path};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::read_config;
use skyreels_core::output::write_file;

use crate::{Error, Result};

/// Whose face performs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Self re-enactment: the driver's own first frame, or a portrait of the same name, performs the driver; the driver is the
    /// true result.
    #[serde(rename = "self")]
    Own,
    /// Cross re-enactment: a portrait of somebody else performs; there is no true result.
    Cross,
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "self" => Ok(Self::Own),
            "cross" => Ok(Self::Cross),
            _ => Err(format!("`{text}` is neither self nor cross")),
        }
    }
}

/// A list of pairs: what is to be made, and then measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairList {
    /// Whose face performs.
    pub protocol: Protocol,
    /// The seed it was drawn with, where it was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The pairs, each with a name of its own.
    pub pairs: Vec<ListedPair>,
}

/// A portrait and a driver. Paths are relative to the directories of portraits, drivers and results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPair {
    /// What the pair is called; the result is the file of this name unless `result` says otherwise.
    pub name: String,
    /// The portrait; without one, the driver's first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portrait: Option<String>,
    /// The driving video.
    pub driving: String,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl PairList {
    /// Reads a list from JSON.
    ///
    /// # Errors
    /// [`Error::Core`] for a file that is missing or not such a list; [`Error::Invalid`] as [`check`](Self::check).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let list: Self = read_config(path.as_ref())?;
        list.check()?;
        Ok(list)
    }

    /// Writes the list as JSON.
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|error| Error::invalid("pair list", error.to_string()))?;
        Ok(write_file(path, (text + "\n").as_bytes())?)
    }

    /// Refuses names that are none or come twice, and paths that lead outside.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the pair; [`Error::Empty`] for a list without pairs.
    pub fn check(&self) -> Result<()> {
        if self.pairs.is_empty() {
            return Err(Error::empty("pair list", "it needs at least one pair"));
        }
        let mut names = BTreeSet::new();
        for pair in &self.pairs {
            let plain = |text: &str| {
                let parts: Vec<Component> = Path::new(text).components().collect();
                !parts.is_empty() && parts.iter().all(|part| matches!(part, Component::Normal(_)))
            };
            if !plain(&pair.name) || Path::new(&pair.name).components().count() != 1 || pair.name.contains('\\') {
                return Err(Error::invalid("pair list", format!("`{}` is not the name of a file", pair.name)));
            }
            if !names.insert(&pair.name) {
                return Err(Error::invalid("pair list", format!("two pairs are called `{}`", pair.name)));
            }
            for path in [Some(&pair.driving), pair.portrait.as_ref(), pair.result.as_ref()].into_iter().flatten() {
                if !plain(path) {
                    let reason = format!("`{path}` of pair `{}` leads out of its directory", pair.name);
                    return Err(Error::invalid("pair list", reason));
                }
            }
        }
        Ok(())
    }
}
