//! The recurrent update: `BasicUpdateBlock` and `SmallUpdateBlock` of `core/update.py`.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use super::encoder::convolution;
use super::network::Size;

/// Right and down.
pub(super) const VECTOR: usize = 2;
/// Kernels of the large network's recurrent unit: along rows, then along columns.
const SEPARABLE: [[usize; 2]; 2] = [[1, 5], [5, 1]];

/// What is known about the motion of each place: its correlation and its flow so far.
#[derive(Module, Debug)]
struct MotionEncoder {
    convcorr1: Conv2d,
    convcorr2: Option<Conv2d>,
    convflow1: Conv2d,
    convflow2: Conv2d,
    merge: Conv2d,
}

impl MotionEncoder {
    fn new(size: Size, device: &Device) -> Self {
        let conv = |channels, kernel| convolution(channels, [kernel, kernel], 1, device);
        let correlated = size.window() * size.window() * super::correlation::LEVELS;
        match size {
            Size::Large => Self {
                convcorr1: conv([correlated, 256], 1),
                convcorr2: Some(conv([256, 192], 3)),
                convflow1: conv([VECTOR, 128], 7),
                convflow2: conv([128, 64], 3),
                merge: conv([192 + 64, size.motion() - VECTOR], 3),
            },
            Size::Small => Self {
                convcorr1: conv([correlated, 96], 1),
                convcorr2: None,
                convflow1: conv([VECTOR, 64], 7),
                convflow2: conv([64, 32], 3),
                merge: conv([96 + 32, size.motion() - VECTOR], 3),
            },
        }
    }

    fn forward(&self, flow: Tensor<4>, correlation: Tensor<4>) -> Tensor<4> {
        let seen = relu(self.convcorr1.forward(correlation));
        let seen = match &self.convcorr2 {
            Some(conv) => relu(conv.forward(seen)),
            None => seen,
        };
        let moved = relu(self.convflow2.forward(relu(self.convflow1.forward(flow.clone()))));
        let merged = relu(self.merge.forward(Tensor::cat(vec![seen, moved], 1)));
        Tensor::cat(vec![merged, flow], 1)
    }
}

/// A gated recurrent unit whose products are convolutions.
#[derive(Module, Debug)]
struct ConvGru {
    convz: Conv2d,
    convr: Conv2d,
    convq: Conv2d,
}

impl ConvGru {
    fn new(hidden: usize, input: usize, kernel: [usize; 2], device: &Device) -> Self {
        let conv = || convolution([hidden + input, hidden], kernel, 1, device);
        Self { convz: conv(), convr: conv(), convq: conv() }
    }

    /// `h' = (1 - z) h + z q`, with `z` and `r` gates from `[h, x]` and `q = tanh` of a convolution of `[r h, x]`.
    fn forward(&self, hidden: Tensor<4>, input: Tensor<4>) -> Tensor<4> {
        let both = Tensor::cat(vec![hidden.clone(), input.clone()], 1);
        let update = sigmoid(self.convz.forward(both.clone()));
        let reset = sigmoid(self.convr.forward(both));
        let candidate = self.convq.forward(Tensor::cat(vec![reset * hidden.clone(), input], 1)).tanh();
        hidden * (update.clone().neg() + 1.0) + update * candidate
    }
}

/// One unit with square kernels, or two with kernels along rows and along columns.
#[derive(Module, Debug)]
struct RecurrentBlock {
    separable: Vec<ConvGru>,
    plain: Vec<ConvGru>,
}

/// From the hidden state to the correction of the flow.
#[derive(Module, Debug)]
struct FlowHead {
    conv1: Conv2d,
    conv2: Conv2d,
}

/// One round of looking and correcting.
#[derive(Module, Debug)]
pub(super) struct UpdateBlock {
    motion_encoder: MotionEncoder,
    recurrent_block: RecurrentBlock,
    flow_head: FlowHead,
}

impl UpdateBlock {
    pub(super) fn new(size: Size, device: &Device) -> Self {
        let (hidden, input) = (size.hidden(), size.context() + size.motion());
        let unit = |kernel| ConvGru::new(hidden, input, kernel, device);
        let recurrent_block = match size {
            Size::Large => RecurrentBlock { separable: SEPARABLE.map(unit).into(), plain: Vec::new() },
            Size::Small => RecurrentBlock { separable: Vec::new(), plain: vec![unit([3, 3])] },
        };
        let inside = size.flow_head();
        let flow_head = FlowHead {
            conv1: convolution([hidden, inside], [3, 3], 1, device),
            conv2: convolution([inside, VECTOR], [3, 3], 1, device),
        };
        Self { motion_encoder: MotionEncoder::new(size, device), recurrent_block, flow_head }
    }

    /// The next hidden state and the correction of the flow.
    pub(super) fn forward(
        &self,
        hidden: Tensor<4>,
        context: Tensor<4>,
        correlation: Tensor<4>,
        flow: Tensor<4>,
    ) -> [Tensor<4>; 2] {
        let input = Tensor::cat(vec![context, self.motion_encoder.forward(flow, correlation)], 1);
        let units = self.recurrent_block.separable.iter().chain(&self.recurrent_block.plain);
        let hidden = units.fold(hidden, |hidden, unit| unit.forward(hidden, input.clone()));
        let correction = self.flow_head.conv2.forward(relu(self.flow_head.conv1.forward(hidden.clone())));
        [hidden, correction]
    }
}
