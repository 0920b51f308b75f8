//! Backbone, feature pyramid, context modules and heads.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Published;

use super::resnet::{ConvNorm, ResNet50};
use crate::detection::enlarged;

/// Channels of the pyramid.
const WIDTH: usize = 256;
/// Boxes that are tried at each place.
const ANCHORS: usize = 2;
/// Face or not; sides of a box; coordinates of five points.
const CLASSES: usize = 2;
const SIDES: usize = 4;
const COORDINATES: usize = 10;

/// The published network has no sizes to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetinaFaceConfig;

impl RetinaFaceConfig {
    /// An untrained network.
    pub fn init(&self, device: &Device) -> RetinaFaceNetwork {
        let heads = |size| [0, 1, 2].map(|_| Head::new(size, device)).into();
        RetinaFaceNetwork {
            body: ResNet50::new(device),
            fpn: Pyramid::new(device),
            ssh1: Context::new(device),
            ssh2: Context::new(device),
            ssh3: Context::new(device),
            class_head: heads(CLASSES),
            bbox_head: heads(SIDES),
            landmark_head: heads(COORDINATES),
        }
    }
}

/// `RetinaFace` of facexlib. Keys are those of `detection_Resnet50_Final.pth` after `module.`
#[derive(Module, Debug)]
pub struct RetinaFaceNetwork {
    body: ResNet50,
    fpn: Pyramid,
    ssh1: Context,
    ssh2: Context,
    ssh3: Context,
    class_head: Vec<Head>,
    bbox_head: Vec<Head>,
    landmark_head: Vec<Head>,
}

impl Published for RetinaFaceNetwork {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("class_head", "ClassHead"),
        ("bbox_head", "BboxHead"),
        ("landmark_head", "LandmarkHead"),
        ("conv3x3", "conv3X3"),
        ("conv5x5_1", "conv5X5_1"),
        ("conv5x5_2", "conv5X5_2"),
        ("conv7x7_2", "conv7X7_2"),
        ("conv", "0"),
        ("norm", "1"),
    ];
}

/// What the network says about each anchor, finest level first, row by row, two anchors at each place.
#[derive(Debug, Clone)]
pub struct RetinaFaceOutput {
    /// Boxes relative to the anchors, `[batch, anchors, 4]`.
    pub boxes: Tensor<3>,
    /// Probabilities of no face and of a face, `[batch, anchors, 2]`.
    pub classes: Tensor<3>,
    /// Five points relative to the anchors, `[batch, anchors, 10]`.
    pub points: Tensor<3>,
}

impl RetinaFaceNetwork {
    /// Looks at pictures.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]`: blue, green, red in 0..255 minus their means.
    pub fn forward(&self, pictures: Tensor<4>) -> RetinaFaceOutput {
        let [fine, middle, coarse] = self.fpn.forward(self.body.forward(pictures));
        let levels = [self.ssh1.forward(fine), self.ssh2.forward(middle), self.ssh3.forward(coarse)];
        let all = |heads: &[Head]| {
            Tensor::cat(heads.iter().zip(&levels).map(|(head, level)| head.forward(level.clone())).collect(), 1)
        };
        RetinaFaceOutput {
            boxes: all(&self.bbox_head),
            classes: softmax(all(&self.class_head), 2),
            points: all(&self.landmark_head),
        }
    }
}

/// Coarse levels are added to the finer ones.
#[derive(Module, Debug)]
struct Pyramid {
    output1: ConvNorm,
    output2: ConvNorm,
    output3: ConvNorm,
    merge1: ConvNorm,
    merge2: ConvNorm,
}

impl Pyramid {
    fn new(device: &Device) -> Self {
        let [fine, middle, coarse] = ResNet50::WIDTHS;
        let output = |from| ConvNorm::new([from, WIDTH], 1, 1, device);
        let merge = || ConvNorm::new([WIDTH, WIDTH], 3, 1, device);
        Self {
            output1: output(fine),
            output2: output(middle),
            output3: output(coarse),
            merge1: merge(),
            merge2: merge(),
        }
    }

    fn forward(&self, [fine, middle, coarse]: [Tensor<4>; 3]) -> [Tensor<4>; 3] {
        let coarse = relu(self.output3.forward(coarse));
        let middle = relu(self.output2.forward(middle));
        let middle = relu(self.merge2.forward(enlarged(&coarse, &middle) + middle));
        let fine = relu(self.output1.forward(fine));
        let fine = relu(self.merge1.forward(enlarged(&middle, &fine) + fine));
        [fine, middle, coarse]
    }
}

/// `SSH`: a level seen through windows of three sizes.
#[derive(Module, Debug)]
struct Context {
    conv3x3: ConvNorm,
    conv5x5_1: ConvNorm,
    conv5x5_2: ConvNorm,
    conv7x7_2: ConvNorm,
    conv7x7_3: ConvNorm,
}

impl Context {
    fn new(device: &Device) -> Self {
        let conv = |from, to| ConvNorm::new([from, to], 3, 1, device);
        Self {
            conv3x3: conv(WIDTH, WIDTH / 2),
            conv5x5_1: conv(WIDTH, WIDTH / 4),
            conv5x5_2: conv(WIDTH / 4, WIDTH / 4),
            conv7x7_2: conv(WIDTH / 4, WIDTH / 4),
            conv7x7_3: conv(WIDTH / 4, WIDTH / 4),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let near = self.conv3x3.forward(x.clone());
        let wide = relu(self.conv5x5_1.forward(x));
        let widest = self.conv7x7_3.forward(relu(self.conv7x7_2.forward(wide.clone())));
        relu(Tensor::cat(vec![near, self.conv5x5_2.forward(wide), widest], 1))
    }
}

/// A few numbers for each anchor.
#[derive(Module, Debug)]
struct Head {
    conv1x1: Conv2d,
}

impl Head {
    fn new(size: usize, device: &Device) -> Self {
        Self { conv1x1: Conv2dConfig::new([WIDTH, ANCHORS * size], [1, 1]).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<3> {
        let out = self.conv1x1.forward(x).permute([0, 2, 3, 1]);
        let [batch, height, width, channels] = out.dims();
        out.reshape([batch, height * width * ANCHORS, channels / ANCHORS])
    }
}
