//! A module back into the published layout.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{DType, Shape, Tensor, TensorData};
use safetensors::{Dtype, View};
use serde_json::json;

use super::keys::{Key, Published, PublishedVisitor};
use crate::output::{OutputFile, write_file};
use crate::{Error, Result};

/// Largest shard, as the published checkpoints have it: 5 GB.
pub const SHARD_BYTES: usize = 5_000_000_000;

/// Writes the parameters of `module` into `directory` as `{stem}.safetensors`, or as shards of at
/// most `shard_bytes` with an index when they are larger. Types are kept.
///
/// Every file appears whole; the index, which makes shards a checkpoint, is written last.
///
/// # Errors
/// [`Error::Io`] when a file cannot be written.
pub fn save<M: Published>(module: &M, directory: &Path, stem: &str, shard_bytes: usize) -> Result<()> {
    let mut collector = Collector::default();
    module.visit_published(&mut collector);
    let shards = split(collector.0, shard_bytes);
    if let [whole] = shards.as_slice() {
        return write_shard(whole, &directory.join(format!("{stem}.safetensors")));
    }
    let mut weight_map = BTreeMap::new();
    let mut total = 0;
    for (number, shard) in shards.iter().enumerate() {
        let name = format!("{stem}-{:05}-of-{:05}.safetensors", number + 1, shards.len());
        write_shard(shard, &directory.join(&name))?;
        for (key, tensor) in shard {
            weight_map.insert(key.clone(), name.clone());
            total += tensor.bytes();
        }
    }
    let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
    let text = serde_json::to_vec_pretty(&index).expect("a map of strings is valid JSON");
    write_file(directory.join(format!("{stem}.safetensors.index.json")), &text)
}

fn split(tensors: BTreeMap<String, Stored>, shard_bytes: usize) -> Vec<Vec<(String, Stored)>> {
    let mut shards: Vec<Vec<(String, Stored)>> = vec![Vec::new()];
    let mut filled = 0;
    for (key, tensor) in tensors {
        if filled > 0 && filled + tensor.bytes() > shard_bytes {
            shards.push(Vec::new());
            filled = 0;
        }
        filled += tensor.bytes();
        shards.last_mut().expect("there is always one shard").push((key, tensor));
    }
    shards
}

fn write_shard(tensors: &[(String, Stored)], path: &Path) -> Result<()> {
    let file = OutputFile::create(path)?;
    let metadata = Some([("format".to_string(), "pt".to_string())].into());
    let views = tensors.iter().map(|(key, tensor)| (key, tensor));
    safetensors::serialize_to_file(views, metadata, file.temporary_path()).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => Error::io("write", path)(source),
        other => Error::malformed(path, "safetensors file", other.to_string()),
    })?;
    file.commit()
}

/// A parameter that is read from its device only while its bytes are written.
struct Stored {
    shape: Shape,
    dtype: DType,
    read: Box<dyn Fn() -> TensorData>,
}

impl Stored {
    fn bytes(&self) -> usize {
        self.shape.num_elements() * self.dtype.size()
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        match self.dtype {
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            _ => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned((self.read)().into_bytes().to_vec())
    }

    fn data_len(&self) -> usize {
        self.bytes()
    }
}

#[derive(Default)]
struct Collector(BTreeMap<String, Stored>);

impl PublishedVisitor for Collector {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        let tensor = param.transform_for_save().base();
        let stored =
            Stored { shape: tensor.shape(), dtype: tensor.dtype(), read: Box::new(move || tensor.clone().into_data()) };
        self.0.insert(key.as_str().to_string(), stored);
    }
}
