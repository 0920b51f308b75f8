//! A model directory in the published layout, of which some components are new.

use std::fs;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{DType, Tensor};
use safetensors::Dtype;
use skyreels_core::checkpoint::{
    DIFFUSERS_STEM, Key, LORA_FILE, Published, PublishedVisitor, SHARD_BYTES, Weights, as_stored, save_beside,
};
use skyreels_core::{Error as CoreError, Limits};

use crate::Result;

/// Folders nest no deeper in a published model.
const MOST_LEVELS: usize = 4;

/// Writes a component's weights into `directory/name`, with the configuration of `base/name` and whatever its weights hold that the
/// module ignores. A component that is still that of the base, to the byte, is linked (or copied) instead.
///
/// # Errors
/// When a file cannot be read or written.
pub fn save_component<M: Published>(module: &M, base: &Path, directory: &Path, name: &str) -> Result<()> {
    let folder = directory.join(name);
    let weights = Weights::open(base.join(name), &Limits::default())?;
    if is_unchanged(module, &weights) {
        return link(&base.join(name), &folder, &[], MOST_LEVELS);
    }
    fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
    let (from, to) = (base.join(name).join("config.json"), folder.join("config.json"));
    fs::copy(&from, &to).map_err(CoreError::io("copy", &from))?;
    Ok(save_beside(module, &weights, &folder, DIFFUSERS_STEM, SHARD_BYTES)?)
}

/// Whether every parameter has the type and the bytes that it has in `weights`, and those hold nothing else that the module would
/// have to know.
fn is_unchanged<M: Published>(module: &M, weights: &Weights) -> bool {
    let mut comparison = Comparison { equal: weights.check(module).is_clean(), weights };
    module.visit_published(&mut comparison);
    comparison.equal
}

struct Comparison<'a> {
    weights: &'a Weights,
    equal: bool,
}

impl PublishedVisitor for Comparison<'_> {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        // The first difference decides: what is trained is hardly ever read twice.
        if !self.equal {
            return;
        }
        let value = as_stored(param, param.val());
        let dtype = match value.dtype() {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            _ => Dtype::BF16,
        };
        self.equal = self.weights.raw(key.as_str()).is_some_and(|(shape, stored, bytes)| {
            stored == dtype && shape == value.dims() && *value.into_data().into_bytes() == *bytes
        });
    }
}

/// Puts everything of the model directory `base` into `directory` that is not there yet, but the folders in `except`: as hard links
/// where the file system has them, else as copies.
///
/// # Errors
/// When a file cannot be read or written.
pub fn link_others(base: &Path, directory: &Path, except: &[&str]) -> Result<()> {
    link(base, directory, except, MOST_LEVELS)
}

fn link(from: &Path, to: &Path, except: &[&str], levels: usize) -> Result<()> {
    fs::create_dir_all(to).map_err(CoreError::io("create", to))?;
    for entry in fs::read_dir(from).map_err(CoreError::io("read", from))? {
        let entry = entry.map_err(CoreError::io("read", from))?;
        let name = entry.file_name();
        // Neither a state of training nor half-written files are part of a model, nor is the LoRA of another run.
        let skipped = |name: &str| except.contains(&name) || name.starts_with('.') || name == LORA_FILE;
        if name.to_str().is_none_or(skipped) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if source.is_dir() {
            if levels > 0 {
                link(&source, &target, &[], levels - 1)?;
            }
        } else if !target.exists() {
            // The file itself, should it be a symbolic link.
            let real = fs::canonicalize(&source).map_err(CoreError::io("read", &source))?;
            if fs::hard_link(&real, &target).is_err() {
                fs::copy(&real, &target).map_err(CoreError::io("copy", &source))?;
            }
        }
    }
    Ok(())
}
