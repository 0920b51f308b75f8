//! Intermediate results of a forward pass, for comparison and debugging.

use burn::tensor::{Tensor, TensorData};

/// Collects intermediate results under their names in the golden files; does nothing when off.
#[derive(Debug, Default)]
pub struct Trace {
    tensors: Option<Vec<(String, TensorData)>>,
    prefix: String,
}

impl Trace {
    /// A trace that records nothing and costs nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// A trace that copies every intermediate result to the host.
    pub fn on() -> Self {
        Self { tensors: Some(Vec::new()), prefix: String::new() }
    }

    /// The recorded tensors in the order of the computation.
    pub fn tensors(&self) -> &[(String, TensorData)] {
        self.tensors.as_deref().unwrap_or_default()
    }

    /// Puts `prefix` in front of the following names.
    pub(crate) fn set_prefix(&mut self, prefix: impl FnOnce() -> String) {
        if self.tensors.is_some() {
            self.prefix = prefix();
        }
    }

    pub(crate) fn record<const D: usize>(&mut self, name: &str, tensor: &Tensor<D>) {
        if let Some(tensors) = &mut self.tensors {
            tensors.push((format!("{}{name}", self.prefix), tensor.to_data()));
        }
    }
}
