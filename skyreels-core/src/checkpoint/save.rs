//! A module back into the published layout.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use burn::module::Param;
use burn::tensor::{DType, Tensor};
use safetensors::{Dtype, View};
use serde_json::json;

use super::keys::{Key, Published, PublishedVisitor};
use super::load::is_ignored;
use super::weights::Weights;
use crate::output::{OutputFile, directory_of, sync_directory, write_file};
use crate::{Error, Result};

/// Largest shard, as the published checkpoints have it: 5 GB.
pub const SHARD_BYTES: usize = 5_000_000_000;

/// Digits of the numbers in the name of a shard.
const SHARD_DIGITS: usize = 5;

/// Writes the parameters of `module` into `directory` as `{stem}.safetensors`, or as shards of at
/// most `shard_bytes` with an index when they are larger. Types are kept.
///
/// What was saved there before under the same stem, whole or in shards, is replaced, and stays as it is until every
/// byte of the new checkpoint is on the disk. From then on, whatever happens, the directory holds the old checkpoint,
/// the new one, or one that [`Weights::open`](super::Weights::open) refuses; never a mix of both.
///
/// # Errors
/// [`Error::Io`] when a file cannot be written.
pub fn save<M: Published>(module: &M, directory: &Path, stem: &str, shard_bytes: usize) -> Result<()> {
    write(collect(module), directory, stem, shard_bytes)
}

/// [`save`] beside those tensors of `weights` that the module [ignores](Published::IGNORED), as they are: what others want of a
/// published file is not lost when it passes through a module that reads a part of it.
///
/// # Errors
/// Those of [`save`].
pub fn save_beside<M: Published>(
    module: &M,
    weights: &Weights,
    directory: &Path,
    stem: &str,
    shard_bytes: usize,
) -> Result<()> {
    let mut tensors = collect(module);
    for (key, _) in weights.shapes().filter(|(key, _)| is_ignored::<M>(key)) {
        tensors.entry(key.to_string()).or_insert_with(|| Stored::kept(weights, key));
    }
    write(tensors, directory, stem, shard_bytes)
}

fn collect<M: Published>(module: &M) -> BTreeMap<String, Stored> {
    let mut collector = Collector::default();
    module.visit_published(&mut collector);
    collector.0
}

fn write(tensors: BTreeMap<String, Stored>, directory: &Path, stem: &str, shard_bytes: usize) -> Result<()> {
    let shards = split(tensors, shard_bytes);
    let whole = directory.join(format!("{stem}.safetensors"));
    let index = directory.join(format!("{stem}.safetensors.index.json"));
    if let [tensors] = shards.as_slice() {
        // A whole file is preferred to an index, so that it is the checkpoint as soon as it is there.
        write_shard(tensors, &whole)?.commit()?;
        remove(&index)?;
        return remove_shards(directory, stem, &[]);
    }
    let names: Vec<String> = (1..=shards.len())
        .map(|number| format!("{stem}-{number:0SHARD_DIGITS$}-of-{:0SHARD_DIGITS$}.safetensors", shards.len()))
        .collect();
    let mut files = Vec::with_capacity(shards.len());
    let mut weight_map = BTreeMap::new();
    let mut total = 0;
    for (name, shard) in names.iter().zip(&shards) {
        files.push(write_shard(shard, &directory.join(name))?);
        for (key, tensor) in shard {
            weight_map.insert(key.clone(), name.clone());
            total += tensor.length;
        }
    }
    // The old index must not be found beside new shards of the same names.
    remove(&index)?;
    for file in files {
        file.commit()?;
    }
    let text = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
    let text = serde_json::to_vec_pretty(&text).expect("a map of strings is valid JSON");
    write_file(index, &text)?;
    remove(&whole)?;
    remove_shards(directory, stem, &names)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            sync_directory(directory_of(path));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("remove", path)(error)),
    }
}

/// Removes the shards of `stem` that are not among `kept`.
fn remove_shards(directory: &Path, stem: &str, kept: &[String]) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(Error::io("read", directory))? {
        let name = entry.map_err(Error::io("read", directory))?.file_name();
        let Some(name) = name.to_str().filter(|name| is_shard_of(name, stem)) else { continue };
        if !kept.iter().any(|kept| kept == name) {
            remove(&directory.join(name))?;
        }
    }
    Ok(())
}

/// Whether `name` is that of a shard as this module and the published checkpoints name them.
fn is_shard_of(name: &str, stem: &str) -> bool {
    let number = |text: &str| text.len() == SHARD_DIGITS && text.bytes().all(|digit| digit.is_ascii_digit());
    let numbers = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".safetensors"));
    numbers.and_then(|numbers| numbers.split_once("-of-")).is_some_and(|(own, count)| number(own) && number(count))
}

fn split(tensors: BTreeMap<String, Stored>, shard_bytes: usize) -> Vec<Vec<(String, Stored)>> {
    let mut shards: Vec<Vec<(String, Stored)>> = vec![Vec::new()];
    let mut filled = 0;
    for (key, tensor) in tensors {
        if filled > 0 && filled + tensor.length > shard_bytes {
            shards.push(Vec::new());
            filled = 0;
        }
        filled += tensor.length;
        shards.last_mut().expect("there is always one shard").push((key, tensor));
    }
    shards
}

/// Writes a file that has yet to take its name.
pub(super) fn write_shard(tensors: &[(String, Stored)], path: &Path) -> Result<OutputFile> {
    let mut file = OutputFile::create(path)?;
    let metadata = Some([("format".to_string(), "pt".to_string())].into());
    let views = tensors.iter().map(|(key, tensor)| (key, tensor));
    safetensors::serialize_to_file(views, metadata, file.temporary_path()).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => Error::io("write", path)(source),
        other => Error::malformed(path, "safetensors file", other.to_string()),
    })?;
    file.sync()?;
    Ok(file)
}

/// A tensor whose bytes are read, from its device or its file, only while they are written.
pub(super) struct Stored {
    shape: Vec<usize>,
    dtype: Dtype,
    length: usize,
    read: Box<dyn Fn() -> Vec<u8>>,
}

impl Stored {
    pub(super) fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let dtype = match tensor.dtype() {
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            _ => Dtype::F32,
        };
        let shape = tensor.dims().to_vec();
        let length = tensor.shape().num_elements() * tensor.dtype().size();
        let read = move || tensor.clone().into_data().into_bytes().to_vec();
        Self { shape, dtype, length, read: Box::new(read) }
    }

    /// A tensor of a file, which stays mapped; `key` is one of its keys.
    fn kept(weights: &Weights, key: &str) -> Self {
        let (shape, dtype, bytes) = weights.raw(key).expect("the key is one of the file's");
        let (shape, length) = (shape.to_vec(), bytes.len());
        let (weights, key) = (weights.clone(), key.to_string());
        let read = move || weights.raw(&key).map(|(.., bytes)| bytes.to_vec()).unwrap_or_default();
        Self { shape, dtype, length, read: Box::new(read) }
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned((self.read)())
    }

    fn data_len(&self) -> usize {
        self.length
    }
}

#[derive(Default)]
struct Collector(BTreeMap<String, Stored>);

impl PublishedVisitor for Collector {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        self.0.insert(key.as_str().to_string(), Stored::of(param.transform_for_save().base()));
    }
}
