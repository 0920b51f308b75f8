//! The operators, with every option decoded and every constant on the device.

use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions, PadMode};
use burn::tensor::{Tensor, activation};

use super::host::HostConv;
use super::layout::{to_channels_first, to_channels_last};

/// What an operator does to its operands; all axes are channels-first.
pub(super) enum Op {
    Conv(Box<Conv>),
    /// The same in host memory.
    HostConv(Box<HostConv>),
    /// Blocks of `n` x `n` pixels become channels: `[1, c, h n, w n]` to `[1, n n c, h, w]`.
    Unshuffle(usize),
    /// The whole picture becomes channels: `[1, c, h, w]` to `[1, h w c, 1, 1]`.
    Flatten,
    /// `PRELU` with one slope per channel.
    Prelu(Box<Tensor<1>>),
    MaxPool(MaxPoolOptions<2>),
    /// Largest of that many groups of channels: pooling after [`Self::Unshuffle`].
    MaxOfGroups(usize),
    /// Zeros before and after each axis.
    Pad([(usize, usize); 4]),
    Relu,
    Logistic,
    Neg,
    Sqrt,
    Rsqrt,
    Binary {
        kind: Binary,
        relu: bool,
    },
    /// `MEAN` or `SUM` over axes that stay with size 1, then the channels-last shape if they are dropped.
    Reduce {
        mean: bool,
        axes: Vec<usize>,
        shape: Option<[usize; 4]>,
    },
    Transpose([isize; 4]),
    /// `STRIDED_SLICE` with stride 1, then the channels-last shape if axes are dropped.
    Slice {
        ranges: [(usize, usize); 4],
        shape: Option<[usize; 4]>,
    },
    /// To a channels-last shape.
    Reshape([usize; 4]),
    Concat(usize),
}

/// `CONV_2D` and `DEPTHWISE_CONV_2D`.
pub(super) struct Conv {
    /// `[out, in / groups, height, width]`.
    pub(super) weight: Tensor<4>,
    pub(super) bias: Option<Tensor<1>>,
    pub(super) options: ConvOptions<2>,
    /// Whether a ReLU follows.
    pub(super) relu: bool,
}

/// Operators of two operands that broadcast.
#[derive(Clone, Copy)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    SquaredDifference,
}

impl Op {
    /// Applies the operator; the plan has checked the number of operands and their shapes.
    pub(super) fn apply(&self, mut operands: Vec<Tensor<4>>) -> Tensor<4> {
        if let Self::Concat(axis) = self {
            return Tensor::cat(operands, *axis);
        }
        let second = (operands.len() == 2).then(|| operands.pop().expect("two operands"));
        let x = operands.pop().expect("the plan gives every operator an operand");
        match self {
            Self::Conv(conv) => {
                let Conv { weight, bias, options, relu } = &**conv;
                fused(conv2d(x, weight.clone(), bias.clone(), options.clone()), *relu)
            }
            Self::HostConv(conv) => conv.apply(x),
            Self::Unshuffle(n) => unshuffled(x, *n),
            Self::Flatten => {
                let values = x.dims().iter().product();
                to_channels_last(x).reshape([1, values, 1, 1])
            }
            Self::MaxOfGroups(groups) => {
                let parts = x.chunk(*groups, 1).into_iter();
                parts.reduce(|a, b| a.max_pair(b)).expect("there is a group")
            }
            Self::Prelu(slope) => activation::prelu(x, slope.as_ref().clone()),
            Self::MaxPool(options) => max_pool2d(x, options.clone()),
            Self::Pad(sides) => x.pad(*sides, PadMode::Constant(0.0)),
            Self::Relu => activation::relu(x),
            Self::Logistic => activation::sigmoid(x),
            Self::Neg => x.neg(),
            Self::Sqrt => x.sqrt(),
            Self::Rsqrt => x.sqrt().recip(),
            Self::Binary { kind, relu } => {
                let y = second.expect("the plan gives two operands");
                fused(kind.apply(x, y), *relu)
            }
            Self::Reduce { mean, axes, shape } => {
                let reduce = |x: Tensor<4>, axis: &usize| if *mean { x.mean_dim(*axis) } else { x.sum_dim(*axis) };
                reshaped(axes.iter().fold(x, reduce), *shape)
            }
            Self::Transpose(permutation) => x.permute(*permutation),
            Self::Slice { ranges, shape } => reshaped(x.slice(ranges.map(|(start, end)| start..end)), *shape),
            Self::Reshape(shape) => reshaped(x, Some(*shape)),
            Self::Concat(_) => unreachable!("handled above"),
        }
    }
}

impl Binary {
    fn apply(self, x: Tensor<4>, y: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Add => x + y,
            Self::Sub => x - y,
            Self::Mul => x * y,
            Self::Div => x / y,
            Self::SquaredDifference => (x - y).square(),
        }
    }
}

fn fused(x: Tensor<4>, relu: bool) -> Tensor<4> {
    if relu { activation::relu(x) } else { x }
}

/// Channels in the order row in block, column in block, channel.
///
/// Two steps, each a copy that backends do fast: a transposition of pairs, then whole rows.
fn unshuffled(x: Tensor<4>, n: usize) -> Tensor<4> {
    let [_, c, h, w] = x.dims();
    let columns = x.reshape([c * h * w / n, n]).transpose().reshape([n, c, h / n, n, w / n]);
    columns.permute([3, 0, 1, 2, 4]).reshape([1, n * n * c, h / n, w / n])
}

/// Only here the order of the values matters, so only here they are really turned.
fn reshaped(x: Tensor<4>, channels_last: Option<[usize; 4]>) -> Tensor<4> {
    match channels_last {
        Some(shape) => to_channels_first(to_channels_last(x).reshape(shape)),
        None => x,
    }
}
