//! From the fields of a module to the keys of its checkpoint.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
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
        let mut visitor = Shapes { path: KeyPath::new(Self::RENAMED), shapes: BTreeMap::new() };
        self.visit(&mut visitor);
        visitor.shapes
    }
}

/// The key of the parameter under a visitor or mapper.
#[derive(Debug)]
pub(super) struct KeyPath {
    renamed: &'static [(&'static str, &'static str)],
    segments: Vec<String>,
    containers: Vec<String>,
}

impl KeyPath {
    pub(super) fn new(renamed: &'static [(&'static str, &'static str)]) -> Self {
        Self { renamed, segments: Vec::new(), containers: Vec::new() }
    }

    pub(super) fn enter(&mut self, name: &str, container: &str) {
        self.segments.push(name.to_string());
        self.containers.push(container.to_string());
    }

    pub(super) fn exit(&mut self) {
        self.segments.pop();
        self.containers.pop();
    }

    pub(super) fn key(&self) -> String {
        let mut key = format!(".{}.", self.segments.join("."));
        for (field, published) in self.renamed {
            key = key.replace(&format!(".{field}."), &format!(".{published}."));
        }
        key.trim_matches('.').to_string()
    }

    /// True for the parameters of a norm, which stay in f32.
    pub(super) fn in_norm(&self) -> bool {
        self.containers.last().is_some_and(|container| container.ends_with("Norm"))
    }
}

/// The shape a parameter has in a file, without initialising it.
pub(super) fn stored_shape<const D: usize>(param: &Param<Tensor<D>>) -> Vec<usize> {
    // A parameter that waits for its value knows the stored layout; one that has a value may
    // hold it transposed.
    if param.is_initialized() { param.transform_for_save().base().dims().to_vec() } else { param.lazy_shape().to_vec() }
}

struct Shapes {
    path: KeyPath,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.shapes.insert(self.path.key(), stored_shape(param));
    }
}
