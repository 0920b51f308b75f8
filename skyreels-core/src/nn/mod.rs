//! Layers with the names, layouts and epsilons of the published checkpoints.
//!
//! Linear and convolution layers are Burn's, created so that they take PyTorch's weights; norms are ours, because they
//! compute in f32 whatever the weights are.

mod activation;
mod batch_norm;
mod linear;
mod norm;

pub use activation::{gelu_tanh, silu};
pub use batch_norm::BatchNorm;
pub use linear::{in_order, linear, linear_with, project};
pub use norm::LayerNorm;

use burn::nn::conv::{Conv2d, Conv2dConfig, Conv3d, Conv3dConfig};
use burn::nn::{PaddingConfig2d, PaddingConfig3d};
use burn::tensor::Device;

/// A 2-D convolution with square kernel and stride and no padding; weight
/// `[out_channels, in_channels, kernel, kernel]`.
pub fn conv2d(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Valid)
        .init(device)
}

/// A 3-D convolution of stride 1 with explicit symmetric padding; weight
/// `[out_channels, in_channels, kernel_time, kernel_height, kernel_width]`.
pub fn conv3d(channels: [usize; 2], kernel: [usize; 3], padding: [usize; 3], device: &Device) -> Conv3d {
    let [time, height, width] = padding;
    Conv3dConfig::new(channels, kernel).with_padding(PaddingConfig3d::Explicit(time, height, width)).init(device)
}
