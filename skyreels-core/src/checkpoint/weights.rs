//! The tensors of a checkpoint, by key, wherever they lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;
use serde::Deserialize;

use super::config::read_text;
use super::shard::{Place, Shard};
use crate::{Error, Limits, Result};

/// Name of a component's weights as diffusers publishes them, without what comes after the first dot.
pub const DIFFUSERS_STEM: &str = "diffusion_pytorch_model";
/// The same of transformers.
pub const TRANSFORMERS_STEM: &str = "model";
/// Both, in order of preference.
const STEMS: [&str; 2] = [DIFFUSERS_STEM, TRANSFORMERS_STEM];

/// An opened checkpoint: keys, shapes and types known, no tensor read yet.
///
/// Cloning and [`subset`](Self::subset) share the mapped files.
#[derive(Debug, Clone)]
pub struct Weights {
    root: PathBuf,
    shards: Arc<Vec<Shard>>,
    places: BTreeMap<String, (usize, Place)>,
}

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens the weights of one component: a safetensors file, or a directory that holds
    /// `diffusion_pytorch_model.safetensors` or `model.safetensors`, whole or in shards with a
    /// `*.safetensors.index.json`.
    ///
    /// # Errors
    /// [`Error::Io`] for files that are missing or unreadable, [`Error::Malformed`] for damaged
    /// files and for an index that names a file outside of the directory or a key that its shard
    /// does not have, [`Error::Limit`] for headers and indices beyond `limits`.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        if !path.is_dir() {
            return Self::from_files(path, &[path.to_path_buf()], limits);
        }
        for stem in STEMS {
            let whole = path.join(format!("{stem}.safetensors"));
            if whole.is_file() {
                return Self::from_files(path, &[whole], limits);
            }
            let index = path.join(format!("{stem}.safetensors.index.json"));
            if index.is_file() {
                return Self::from_index(path, &index, limits);
            }
        }
        Err(Error::malformed(
            path,
            "checkpoint directory",
            format!(
                "it holds neither {0}.safetensors nor {0}.safetensors.index.json (nor the same for `{1}`)",
                STEMS[0], STEMS[1]
            ),
        ))
    }

    fn from_files(root: &Path, files: &[PathBuf], limits: &Limits) -> Result<Self> {
        let mut shards = Vec::with_capacity(files.len());
        let mut places = BTreeMap::new();
        for file in files {
            let (shard, own) = Shard::open(file, limits)?;
            for (key, place) in own {
                if let Some((other, _)) = places.insert(key.clone(), (shards.len(), place)) {
                    let other: &Shard = &shards[other];
                    let reason = format!("tensor `{key}` is also in {}", other.path.display());
                    return Err(Error::malformed(file, "checkpoint shard", reason));
                }
            }
            shards.push(shard);
        }
        Ok(Self { root: root.to_path_buf(), shards: Arc::new(shards), places })
    }

    fn from_index(root: &Path, index: &Path, limits: &Limits) -> Result<Self> {
        let malformed = |reason: String| Error::malformed(index, "shard index", reason);
        let text = read_text(index, limits)?;
        let ShardIndex { weight_map } = serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
        let mut names: Vec<&String> = weight_map.values().collect();
        names.sort();
        names.dedup();
        if names.len() > limits.max_shards {
            return Err(malformed(format!(
                "it names {} shards, above the limit of {}",
                names.len(),
                limits.max_shards
            )));
        }
        if let Some(outside) = names.iter().find(|name| !is_plain_file_name(name)) {
            return Err(malformed(format!("shard `{outside}` is not a file of this directory")));
        }
        let files: Vec<PathBuf> = names.iter().map(|name| root.join(name)).collect();
        if let Some(missing) = files.iter().find(|file| !file.is_file()) {
            return Err(malformed(format!("shard {} is missing; download it again", missing.display())));
        }
        let weights = Self::from_files(root, &files, limits)?;
        for (key, file) in &weight_map {
            match weights.places.get(key) {
                Some((shard, _)) if weights.shards[*shard].path.ends_with(file) => {}
                _ => return Err(malformed(format!("tensor `{key}` is not in {file}"))),
            }
        }
        Ok(weights)
    }

    /// The directory or file that was opened.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// What the header of a file says under a name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.shards.iter().find_map(|shard| shard.metadata.get(name)).map(String::as_str)
    }

    /// The tensors whose keys begin with `prefix`, under the rest of their keys.
    #[must_use]
    pub fn subset(&self, prefix: &str) -> Self {
        let places = self
            .places
            .iter()
            .filter_map(|(key, place)| Some((key.strip_prefix(prefix)?.to_string(), place.clone())))
            .collect();
        Self { root: self.root.clone(), shards: self.shards.clone(), places }
    }

    /// Every key in alphabetical order, with its shape.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.places.iter().map(|(key, (_, place))| (key.as_str(), place.shape.as_slice()))
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// True when there is a tensor of this name.
    pub fn contains(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Bytes of all tensors as stored.
    pub fn stored_bytes(&self) -> u64 {
        self.places.values().map(|(shard, place)| self.shards[*shard].bytes(place).len() as u64).sum()
    }

    /// Forgets the pages of a tensor that has been read.
    pub(super) fn release(&self, key: &str) {
        if let Some((shard, place)) = self.places.get(key) {
            self.shards[*shard].release(place);
        }
    }

    /// Shape, element type and little-endian bytes of a tensor; `None` when there is no such key.
    pub fn raw(&self, key: &str) -> Option<(&[usize], Dtype, &[u8])> {
        let (shard, place) = self.places.get(key)?;
        Some((&place.shape, place.dtype, self.shards[*shard].bytes(place)))
    }
}

fn is_plain_file_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None)) && !name.contains('\\')
}
