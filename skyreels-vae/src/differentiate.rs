//! Convolutions outside of the graph of automatic differentiation.
//!
//! Burn's CPU backend differentiates a 3-D convolution by scattering columns, ten times as slow as the convolution
//! itself. The gradient of a convolution is a convolution too: whoever trains hands in a [`Tape`], which takes every 3x3x3
//! convolution out of the graph and computes it, and its gradients, with [`convolve`], [`input_gradient`] and
//! [`weight_gradient`].

use std::sync::Arc;

use burn::module::ParamId;
use burn::tensor::Tensor;

pub use crate::host::gradient::{convolve, input_gradient, weight_gradient};

/// Cuts a graph into pieces.
///
/// Pieces are differentiated one after the other, the last one first. No piece shares anything but leaves with another:
/// where a value is used by two pieces, it is made a [`leaf`](Self::leaf) first.
pub trait Tape: Send + Sync {
    /// The same value as a leaf of a new piece.
    fn leaf(&self, x: Tensor<5>) -> Tensor<5>;

    /// A convolution of a leaf, with zeros around the frames and none before or after them, as a leaf of a new piece.
    ///
    /// # Shapes
    /// `x` `[batch, from, frames + times - 1, height, width]`, `weight` `[to, from, times, 3, 3]` with the identity of its
    /// parameter, whatever the rank of that is, `-> [batch, to, frames, height, width]`
    fn convolution(&self, x: Tensor<5>, weight: (ParamId, Tensor<5>), bias: Option<(ParamId, Tensor<1>)>) -> Tensor<5>;
}

/// A tape on its way through the network.
#[derive(Clone)]
pub(crate) struct TapeRef(pub(crate) Arc<dyn Tape>);

impl std::fmt::Debug for TapeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tape")
    }
}
