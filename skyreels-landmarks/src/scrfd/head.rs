//! Scores, edges and points at every place of three strides.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::BatchNorm;

use super::backbone::{EPSILON, convolution};
use super::network::{STRIDES, StrideTensors};

/// Boxes that are tried at each place.
const ANCHORS: usize = 2;
/// Numbers of a box and of five points.
const SIDES: usize = 4;
const COORDINATES: usize = 10;

/// A convolution with a norm and an activation.
#[derive(Module, Debug)]
struct ConvModule {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvModule {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.bn.forward(self.conv.forward(x)))
    }
}

/// What comes before the last layer, apart for each stride.
#[derive(Module, Debug)]
struct Towers {
    stride8: Vec<ConvModule>,
    stride16: Vec<ConvModule>,
    stride32: Vec<ConvModule>,
}

/// A last layer for each stride.
#[derive(Module, Debug)]
struct Outputs {
    stride8: Conv2d,
    stride16: Conv2d,
    stride32: Conv2d,
}

impl Outputs {
    fn new(width: usize, numbers: usize, device: &Device) -> Self {
        let [stride8, stride16, stride32] = [0; 3].map(|_| convolution([width, ANCHORS * numbers], 3, 1, true, device));
        Self { stride8, stride16, stride32 }
    }

    fn each(&self) -> [&Conv2d; 3] {
        [&self.stride8, &self.stride16, &self.stride32]
    }
}

/// A learned factor, `[1]`.
#[derive(Module, Debug)]
struct Scale {
    scale: Param<Tensor<1>>,
}

/// `SCRFDHead` with one tower for scores and boxes.
#[derive(Module, Debug)]
pub(super) struct Head {
    cls_stride_convs: Towers,
    stride_cls: Outputs,
    stride_reg: Outputs,
    stride_kps: Outputs,
    scales: Vec<Scale>,
}

impl Head {
    pub(super) fn new(from: usize, width: usize, depth: usize, device: &Device) -> Self {
        let [stride8, stride16, stride32] = [0; 3].map(|_| {
            let module = |index: usize| ConvModule {
                conv: convolution([if index == 0 { from } else { width }, width], 3, 1, false, device),
                bn: BatchNorm::new(width, EPSILON, device),
            };
            (0..depth).map(module).collect()
        });
        Self {
            cls_stride_convs: Towers { stride8, stride16, stride32 },
            stride_cls: Outputs::new(width, 1, device),
            stride_reg: Outputs::new(width, SIDES, device),
            stride_kps: Outputs::new(width, COORDINATES, device),
            scales: STRIDES.map(|_| Scale { scale: Initializer::Ones.init([1], device) }).into(),
        }
    }

    pub(super) fn forward(&self, levels: [Tensor<4>; 3]) -> [StrideTensors; 3] {
        let Towers { stride8, stride16, stride32 } = &self.cls_stride_convs;
        let towers = [stride8, stride16, stride32];
        let (scores, edges, points) = (self.stride_cls.each(), self.stride_reg.each(), self.stride_kps.each());
        let mut index = 0;
        levels.map(|level| {
            let features = towers[index].iter().fold(level, |x, module| module.forward(x));
            let scale = self.scales[index].scale.val().reshape([1, 1, 1]);
            let output = StrideTensors {
                stride: STRIDES[index],
                scores: sigmoid(rows(scores[index].forward(features.clone()))),
                edges: rows(edges[index].forward(features.clone())) * scale,
                points: rows(points[index].forward(features)),
            };
            index += 1;
            output
        })
    }
}

/// `[batch, anchors * n, height, width]` to `[batch, height * width * anchors, n]`.
fn rows(x: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    x.permute([0, 2, 3, 1]).reshape([batch, height * width * ANCHORS, channels / ANCHORS])
}
