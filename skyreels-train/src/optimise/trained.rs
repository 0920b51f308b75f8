//! Which parameters of a model are trained, their values, and new values for them.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::Param;
use burn::tensor::{DType, Tensor};
use skyreels_core::checkpoint::{Key, Published, PublishedMapper, PublishedVisitor, as_stored};

use super::pattern::Patterns;
use crate::{Error, Result};

/// The keys that patterns mean in a model.
///
/// # Errors
/// [`Error::NoParameter`] for a pattern of `train` that no key matches.
pub fn keys<M: Published>(module: &M, patterns: &Patterns, stage: &str) -> Result<BTreeSet<String>> {
    let shapes = module.published_shapes();
    for pattern in &patterns.train {
        if !shapes.keys().any(|key| super::pattern::matches(pattern, key)) {
            return Err(Error::NoParameter {
                stage: stage.to_string(),
                pattern: pattern.clone(),
                example: shapes.keys().next_back().cloned().unwrap_or_default(),
            });
        }
    }
    let keys: BTreeSet<String> = shapes.into_keys().filter(|key| patterns.contains(key)).collect();
    if keys.is_empty() {
        return Err(Error::invalid("stage", format!("`{stage}` trains no parameter; change `train` or `freeze`")));
    }
    Ok(keys)
}

/// The model with gradients for these keys and for no other.
pub fn trainable_only<M: Published>(module: M, keys: &BTreeSet<String>) -> M {
    module.map_published(&mut Freezer(keys))
}

struct Freezer<'a>(&'a BTreeSet<String>);

impl PublishedMapper for Freezer<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.set_require_grad(self.0.contains(key.as_str()))
    }
}

/// A parameter's value, flat in the stored layout, in its own type and without gradients.
pub(super) fn flat<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<1> {
    let value = param.val();
    let value = if value.is_autodiff() { value.inner() } else { value };
    let count = value.shape().num_elements();
    as_stored(param, value).reshape([count])
}

/// A parameter with another value, given flat in the stored layout; type, device and need of gradients stay.
pub(super) fn with_flat<const D: usize>(param: Param<Tensor<D>>, value: Tensor<1>) -> Param<Tensor<D>> {
    let old = param.val();
    let shape = as_stored(&param, old.clone()).shape();
    let value: Tensor<D> = value.cast(old.dtype()).reshape(shape);
    let value = if old.is_autodiff() { Tensor::from_inner(value) } else { value };
    let id = param.id;
    param.transform_for_load(value, id)
}

/// Values of these keys as f32.
pub(crate) fn values<M: Published>(module: &M, keys: &BTreeSet<String>) -> BTreeMap<String, Tensor<1>> {
    stored(module, keys).into_iter().map(|(key, value)| (key, value.cast(DType::F32))).collect()
}

/// Values of these keys in their own types.
pub(super) fn stored<M: Published>(module: &M, keys: &BTreeSet<String>) -> BTreeMap<String, Tensor<1>> {
    let mut reader = Reader { keys, found: BTreeMap::new() };
    module.visit_published(&mut reader);
    reader.found
}

struct Reader<'a> {
    keys: &'a BTreeSet<String>,
    found: BTreeMap<String, Tensor<1>>,
}

impl PublishedVisitor for Reader<'_> {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        if self.keys.contains(key.as_str()) {
            self.found.insert(key.as_str().to_string(), flat(param));
        }
    }
}

/// Those of these keys whose parameters are not f32.
pub(crate) fn reduced<M: Published>(module: &M, keys: &BTreeSet<String>) -> BTreeSet<String> {
    let mut finder = Reduced { keys, found: BTreeSet::new() };
    module.visit_published(&mut finder);
    finder.found
}

struct Reduced<'a> {
    keys: &'a BTreeSet<String>,
    found: BTreeSet<String>,
}

impl PublishedVisitor for Reduced<'_> {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        if self.keys.contains(key.as_str()) && param.val().dtype() != DType::F32 {
            self.found.insert(key.as_str().to_string());
        }
    }
}

/// The model with these values in the place of its own.
pub(crate) fn overwrite<M: Published>(module: M, values: &BTreeMap<String, Tensor<1>>) -> M {
    module.map_published(&mut Writer(values))
}

struct Writer<'a>(&'a BTreeMap<String, Tensor<1>>);

impl PublishedMapper for Writer<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.get(key.as_str()) {
            Some(value) => with_flat(param, value.clone()),
            None => param,
        }
    }
}
