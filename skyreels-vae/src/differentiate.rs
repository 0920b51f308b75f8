//! Convolutions outside of the graph of automatic differentiation.
//!
//! Burn's CPU backend differentiates a 3-D convolution by scattering columns, ten times as slow as the convolution
//! itself, and a norm with its activation by some thirty passes over memory. Whoever trains hands in a [`Tape`], which takes
//! every 3x3 and 3x3x3 convolution, with norm and activation before it, out of the graph: [`Convolved`] computes them and
//! their gradients.

use std::sync::Arc;

use burn::module::{Param, ParamId};
use burn::tensor::Tensor;

pub use crate::host::gradient::{Before, ConvolutionGradients, Convolved};

/// Cuts a graph into pieces.
///
/// Pieces are differentiated one after the other, the last one first. No piece shares anything but leaves with another:
/// where a value is used by two pieces, it is made a [`leaf`](Self::leaf) first.
pub trait Tape: Send + Sync {
    /// The same value as a leaf of a new piece.
    fn leaf(&self, x: Tensor<5>) -> Leaf;

    /// [`Convolved::of`] a leaf, as a leaf of a new piece.
    fn convolution(&self, x: &Leaf, convolution: Convolution) -> Leaf;
}

/// A leaf of a graph, and its place on the tape.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// A tensor that asks for its gradient.
    pub value: Tensor<5>,
    /// How many leaves were made before it.
    pub place: usize,
}

/// What a leaf is convolved with; everything here may be tracked.
#[derive(Debug)]
pub struct Convolution {
    /// What comes first.
    pub before: Before,
    /// `[to, from, times, 3, 3]`, with the identity of its parameter, whatever the rank of that is.
    pub weight: (ParamId, Tensor<5>),
    /// `[to]`
    pub bias: Option<(ParamId, Tensor<1>)>,
    /// The place of what the same convolution made of the frames before these.
    pub earlier: Option<usize>,
    /// What the result is added to.
    pub sum: Option<Leaf>,
}

impl Convolution {
    /// A 3x3 convolution of frames, or of three frames, with zeros around them, whatever the rank of its kernel.
    ///
    /// # Shapes
    /// `weight` `[to, from, 3, 3]` or `[to, from, times, 3, 3]`
    pub fn new<const D: usize>(weight: &Param<Tensor<D>>, bias: Option<&Param<Tensor<1>>>, before: Before) -> Self {
        let value = weight.val();
        let shape = value.dims();
        let (to, from, times) = (shape[0], shape[1], if D == 5 { shape[2] } else { 1 });
        Self {
            before,
            weight: (weight.id, value.reshape([to, from, times, shape[D - 2], shape[D - 1]])),
            bias: bias.map(|bias| (bias.id, bias.val())),
            earlier: None,
            sum: None,
        }
    }
}

/// A tape on its way through the network.
#[derive(Clone)]
pub(crate) struct TapeRef(pub(crate) Arc<dyn Tape>);

impl std::fmt::Debug for TapeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tape")
    }
}
