//! CurricularFace's backbone: `IR_101`.

use burn::module::{Initializer, Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::{BatchNorm, linear};

use super::unit::{EPSILON, Shortcut, Stem, Unit};
use super::{EMBEDDING, Watch};

/// Units of each stage and their channels: `get_blocks(100)`.
const STAGES: [(usize, usize); 4] = [(3, 64), (13, 128), (30, 256), (3, 512)];
/// Places of the last stage: a face of 112 pixels, halved four times.
const PLACES: usize = 7 * 7;

/// The published network has no sizes to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CurricularFaceConfig;

impl CurricularFaceConfig {
    /// An untrained network.
    pub fn init(&self, device: &Device) -> CurricularFaceNetwork {
        let mut from = STAGES[0].1;
        let mut body = Vec::new();
        for (units, to) in STAGES {
            for index in 0..units {
                let stride = if index == 0 { 2 } else { 1 };
                body.push(Unit::new([from, to], stride, Shortcut::Sampling, device));
                from = to;
            }
        }
        CurricularFaceNetwork {
            input_layer: Stem::new(STAGES[0].1, device),
            body,
            output_layer: Output {
                norm: BatchNorm::new(from, EPSILON, device),
                linear: linear(from * PLACES, EMBEDDING, device),
                statistics: Standardise::new(EMBEDDING, device),
            },
        }
    }
}

/// `IR_101`: Huang et al., "CurricularFace: Adaptive Curriculum Learning Loss for Deep Face Recognition" (CVPR 2020), in the
/// form of the original's `eval/curricularface`.
#[derive(Module, Debug)]
pub struct CurricularFaceNetwork {
    input_layer: Stem,
    body: Vec<Unit>,
    output_layer: Output,
}

impl Published for CurricularFaceNetwork {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("input_layer.conv1", "input_layer.0"),
        ("input_layer.bn1", "input_layer.1"),
        ("input_layer.prelu", "input_layer.2"),
        ("output_layer.norm", "output_layer.0"),
        ("output_layer.linear", "output_layer.3"),
        ("output_layer.statistics", "output_layer.4"),
        ("bn1", "res_layer.0"),
        ("conv1", "res_layer.1"),
        ("bn2", "res_layer.2"),
        ("prelu", "res_layer.3"),
        ("conv2", "res_layer.4"),
        ("bn3", "res_layer.5"),
        ("downsample.conv", "shortcut_layer.0"),
        ("downsample.norm", "shortcut_layer.1"),
    ];
}

#[derive(Module, Debug)]
struct Output {
    norm: BatchNorm,
    linear: Linear,
    statistics: Standardise,
}

/// Batch normalisation without scale and shift.
#[derive(Module, Debug)]
struct Standardise {
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

impl Standardise {
    fn new(width: usize, device: &Device) -> Self {
        Self {
            running_mean: Initializer::Zeros.init([width], device),
            running_var: Initializer::Ones.init([width], device),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let deviation = self.running_var.val().add_scalar(EPSILON).sqrt();
        (x - self.running_mean.val().unsqueeze()) / deviation.unsqueeze()
    }
}

impl CurricularFaceNetwork {
    /// The embeddings of aligned faces, as the network gives them: compare them by their angle.
    ///
    /// # Shapes
    /// `[batch, 3, 112, 112]`, red, green, blue in -1..1 `-> [batch, 512]`
    pub fn forward(&self, faces: Tensor<4>) -> Tensor<2> {
        self.forward_watched(faces, &mut |_, _| {})
    }

    pub(crate) fn forward_watched(&self, faces: Tensor<4>, watch: &mut Watch) -> Tensor<2> {
        let mut x = self.input_layer.forward(faces);
        for (index, unit) in self.body.iter().enumerate() {
            x = unit.forward(x);
            watch(&format!("body.{index}"), &x);
        }
        let x: Tensor<2> = self.output_layer.norm.forward(x).flatten(1, 3);
        self.output_layer.statistics.forward(self.output_layer.linear.forward(x))
    }
}
