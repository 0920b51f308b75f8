//! From flow at an eighth of the size to flow of every pixel.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::{interpolate, unfold4d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions, UnfoldOptions};
use burn::tensor::{Device, Tensor};

use super::STRIDE;
use super::encoder::convolution;
use super::update::VECTOR;

/// A fine vector is mixed of those in a square of this side.
const NEAR: usize = 3;
/// Channels between the convolutions that say the mixture.
const INSIDE: usize = 256;
/// "Scale mask to balance gradients", says the original.
const MIXTURE_SCALE: f64 = 0.25;

/// How each fine vector is mixed of coarse ones.
#[derive(Module, Debug)]
pub(super) struct MaskPredictor {
    hidden: Conv2d,
    out: Conv2d,
}

impl MaskPredictor {
    pub(super) fn new(hidden: usize, device: &Device) -> Self {
        Self {
            hidden: convolution([hidden, INSIDE], [3, 3], 1, device),
            out: convolution([INSIDE, NEAR * NEAR * STRIDE * STRIDE], [1, 1], 1, device),
        }
    }

    /// Flow of every pixel: convex combinations of the 3x3 vectors around.
    ///
    /// # Shapes
    /// `hidden` `[batch, channels, height, width]`, `flow` `[batch, 2, height, width]` in units of coarse places
    /// `-> [batch, 2, 8 height, 8 width]` in pixels
    pub(super) fn upsample(&self, hidden: Tensor<4>, flow: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = flow.dims();
        let (near, fine, places) = (NEAR * NEAR, STRIDE * STRIDE, height * width);
        let logits = self.out.forward(relu(self.hidden.forward(hidden))).mul_scalar(MIXTURE_SCALE);
        let mixture = softmax(logits.reshape([batch, near, fine, places]), 1);
        let options = UnfoldOptions::new([1, 1], [NEAR / 2, NEAR / 2], [1, 1]);
        let around = unfold4d(flow.mul_scalar(STRIDE as f64), [NEAR, NEAR], options);
        let around: Tensor<5> = around.reshape([batch, VECTOR, near, 1, places]);
        let mixed = (mixture.unsqueeze_dim::<5>(1) * around).sum_dim(2);
        mixed.reshape([batch * VECTOR, STRIDE, STRIDE, height, width]).permute([0, 3, 1, 4, 2]).reshape([
            batch,
            VECTOR,
            STRIDE * height,
            STRIDE * width,
        ])
    }
}

/// Flow of every pixel, bilinear between coarse places whose corners are those of the picture.
pub(super) fn bilinear(flow: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = flow.dims();
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_output_size([STRIDE * height, STRIDE * width])
        .with_align_corners(true);
    interpolate(flow, options).mul_scalar(STRIDE as f64)
}
