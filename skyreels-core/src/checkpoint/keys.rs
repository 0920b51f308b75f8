//! From the fields of a module to the keys of its checkpoint.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// A module whose parameters are published under known keys.
///
/// Field names are keys wherever Rust allows it; what it does not allow stands in
/// [`RENAMED`](Self::RENAMED).
pub trait Published: Module {
    /// Field path and the key path that stands for it, for example `("to_out", "to_out.0")`.
    /// Whole dotted segments are replaced, wherever they occur.
    const RENAMED: &'static [(&'static str, &'static str)] = &[];
    /// Beginnings of keys that the published file holds and this module has no use for.
    const IGNORED: &'static [&'static str] = &[];

    /// Every key of this module with the shape it has in a file. Allocates nothing.
    fn published_shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let mut shapes = Shapes::default();
        self.visit_published(&mut shapes);
        shapes.0
    }

    /// Shows every parameter with its key.
    fn visit_published(&self, visitor: &mut impl PublishedVisitor) {
        self.visit(&mut Keyed { path: KeyPath::new(Self::RENAMED), inner: visitor });
    }

    /// Replaces every parameter, knowing its key.
    #[must_use]
    fn map_published(self, mapper: &mut impl PublishedMapper) -> Self {
        self.map(&mut Keyed { path: KeyPath::new(Self::RENAMED), inner: mapper })
    }
}

/// Sees the parameters of a [`Published`] module.
pub trait PublishedVisitor {
    /// A parameter and where it is published.
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>);
}

/// Replaces the parameters of a [`Published`] module.
pub trait PublishedMapper {
    /// What takes the place of a parameter.
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Where a parameter is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    path: String,
    norm: bool,
}

impl Key {
    /// The key, `transformer_blocks.0.attn1.to_q.weight` for example.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// True for the parameters of a norm, which stay in f32.
    pub fn is_norm(&self) -> bool {
        self.norm
    }
}

/// The fields on the way to the parameter under a visitor or mapper.
#[derive(Debug)]
struct KeyPath {
    renamed: &'static [(&'static str, &'static str)],
    segments: Vec<String>,
    containers: Vec<String>,
}

impl KeyPath {
    fn new(renamed: &'static [(&'static str, &'static str)]) -> Self {
        Self { renamed, segments: Vec::new(), containers: Vec::new() }
    }

    fn enter(&mut self, name: &str, container: &str) {
        self.segments.push(name.to_string());
        self.containers.push(container.to_string());
    }

    fn exit(&mut self) {
        self.segments.pop();
        self.containers.pop();
    }

    fn key(&self) -> Key {
        let mut key = format!(".{}.", self.segments.join("."));
        for (field, published) in self.renamed {
            key = key.replace(&format!(".{field}."), &format!(".{published}."));
        }
        let norm = self.containers.last().is_some_and(|container| container.ends_with("Norm"));
        Key { path: key.trim_matches('.').to_string(), norm }
    }
}

/// A visitor or mapper of ours in the place of one of Burn's.
struct Keyed<'a, T> {
    path: KeyPath,
    inner: &'a mut T,
}

impl<T: PublishedVisitor> ModuleVisitor for Keyed<'_, T> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.inner.visit(&self.path.key(), param);
    }
}

impl<T: PublishedMapper> ModuleMapper for Keyed<'_, T> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.inner.map(&self.path.key(), param)
    }
}

/// The shape a parameter has in a file, without initialising it.
pub(super) fn stored_shape<const D: usize>(param: &Param<Tensor<D>>) -> Vec<usize> {
    // A parameter that waits for its value knows the stored layout; one that has a value may
    // hold it transposed.
    if param.is_initialized() { param.transform_for_save().base().dims().to_vec() } else { param.lazy_shape().to_vec() }
}

/// A tensor in the layout of its parameter (a gradient, an average) as the parameter would be stored.
pub fn as_stored<const D: usize>(param: &Param<Tensor<D>>, tensor: Tensor<D>) -> Tensor<D> {
    let (_, _, mapper) = param.clone().consume();
    mapper.on_save(tensor)
}

#[derive(Default)]
struct Shapes(BTreeMap<String, Vec<usize>>);

impl PublishedVisitor for Shapes {
    fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
        self.0.insert(key.as_str().to_string(), stored_shape(param));
    }
}
