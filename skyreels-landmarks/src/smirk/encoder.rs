//! Three networks and what their numbers mean.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use skyreels_core::Frame;
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::linear;

use super::mobilenet::{Backbone, Variant};
use crate::Result;
use crate::inference::images;

/// Numbers of a rotation vector, and of the camera.
const POSE: usize = 3;
const CAMERA: usize = 3;
const EYELIDS: usize = 2;
const JAW: usize = 3;
/// The jaw turns sideways by at most this, in radians.
const MAX_JAW_TURN: f32 = 0.2;

/// Sizes of the encoder; the published ones by [`Default`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct SmirkConfig {
    /// Number of shape coefficients.
    #[serde(default = "published_shape")]
    pub shape: usize,
    /// Number of expression coefficients.
    #[serde(default = "published_expression")]
    pub expression: usize,
    /// Added to the variances of the norms.
    pub bn_eps: f64,
}

const fn published_shape() -> usize {
    300
}

const fn published_expression() -> usize {
    50
}

impl Default for SmirkConfig {
    fn default() -> Self {
        Self { shape: published_shape(), expression: published_expression(), bn_eps: 1e-3 }
    }
}

impl SmirkConfig {
    /// An untrained encoder.
    pub fn init(&self, device: &Device) -> SmirkEncoder {
        let backbone = |variant| Backbone::new(variant, self.bn_eps, device);
        let head = |variant: Variant, size| vec![linear(variant.width(), size, device)];
        SmirkEncoder {
            pose_encoder: PoseEncoder {
                encoder: backbone(Variant::Small),
                pose_cam_layers: head(Variant::Small, POSE + CAMERA),
            },
            shape_encoder: ShapeEncoder {
                encoder: backbone(Variant::Large),
                shape_layers: head(Variant::Large, self.shape),
            },
            expression_encoder: ExpressionEncoder {
                encoder: backbone(Variant::Large),
                expression_layers: head(Variant::Large, self.expression + EYELIDS + JAW),
            },
            expression: self.expression,
        }
    }
}

/// Head pose and camera.
#[derive(Module, Debug)]
pub struct PoseEncoder {
    encoder: Backbone,
    pose_cam_layers: Vec<Linear>,
}

/// Identity.
#[derive(Module, Debug)]
pub struct ShapeEncoder {
    encoder: Backbone,
    shape_layers: Vec<Linear>,
}

/// Expression, eyelids and jaw.
#[derive(Module, Debug)]
pub struct ExpressionEncoder {
    encoder: Backbone,
    expression_layers: Vec<Linear>,
}

/// `SmirkEncoder` of the original. Keys are those of `SMIRK_em1.pt` after `smirk_encoder.`
#[derive(Module, Debug)]
pub struct SmirkEncoder {
    pose_encoder: PoseEncoder,
    shape_encoder: ShapeEncoder,
    expression_encoder: ExpressionEncoder,
    #[module(skip)]
    expression: usize,
}

impl Published for SmirkEncoder {}

/// What the encoder sees, one row per crop.
#[derive(Debug, Clone)]
pub struct SmirkOutput {
    /// Rotation of the head as a rotation vector in radians, `[batch, 3]`.
    pub pose: Tensor<2>,
    /// Camera without perspective: scale, then shift right and up in units of the head, `[batch, 3]`.
    pub camera: Tensor<2>,
    /// Shape coefficients of FLAME, `[batch, 300]`.
    pub shape: Tensor<2>,
    /// Expression coefficients of FLAME, `[batch, 50]`.
    pub expression: Tensor<2>,
    /// How far the left and the right eyelid are closed, 0 to 1, `[batch, 2]`.
    pub eyelids: Tensor<2>,
    /// Rotation vector of the jaw in radians: opening (never negative), then sideways, `[batch, 3]`.
    pub jaw: Tensor<2>,
    /// The heads' numbers before they are limited: pose and camera, shape, expression; for tests.
    pub(crate) raw: [Tensor<2>; 3],
    /// Feature pyramids in the same order; for tests.
    pub(crate) levels: [Vec<Tensor<4>>; 3],
}

fn encode(backbone: &Backbone, head: &[Linear], images: Tensor<4>) -> (Vec<Tensor<4>>, Tensor<2>) {
    let levels = backbone.levels(images);
    let last = levels.last().expect("a backbone has five levels").clone();
    let pooled: Tensor<2> = last.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2);
    (levels, head.iter().fold(pooled, |x, layer| layer.forward(x)))
}

impl SmirkEncoder {
    /// Encodes face crops.
    ///
    /// # Shapes
    /// `images`: `[batch, 3, 224, 224]`, red, green, blue in 0..1 without any normalisation.
    pub fn forward(&self, images: Tensor<4>) -> SmirkOutput {
        let (pose, shape, expression) = (&self.pose_encoder, &self.shape_encoder, &self.expression_encoder);
        let (pose_levels, pose) = encode(&pose.encoder, &pose.pose_cam_layers, images.clone());
        let (shape_levels, shape) = encode(&shape.encoder, &shape.shape_layers, images.clone());
        let (expression_levels, face) = encode(&expression.encoder, &expression.expression_layers, images);
        let jaw_at = self.expression + EYELIDS;
        let opening = relu(face.clone().narrow(1, jaw_at, 1));
        let turn = face.clone().narrow(1, jaw_at + 1, JAW - 1).clamp(-MAX_JAW_TURN, MAX_JAW_TURN);
        SmirkOutput {
            pose: pose.clone().narrow(1, 0, POSE),
            camera: pose.clone().narrow(1, POSE, CAMERA),
            expression: face.clone().narrow(1, 0, self.expression),
            eyelids: face.clone().narrow(1, self.expression, EYELIDS).clamp(0.0, 1.0),
            jaw: Tensor::cat(vec![opening, turn], 1),
            raw: [pose, shape.clone(), face],
            shape,
            levels: [pose_levels, shape_levels, expression_levels],
        }
    }

    /// Encodes face crops of one size as they were cut.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) when there is no crop or sizes differ.
    pub fn encode(&self, crops: &[Frame], device: &Device) -> Result<SmirkOutput> {
        Ok(self.forward(images(crops, device)?))
    }
}
