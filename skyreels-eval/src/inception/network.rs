//! Inception-v3 without its classifier, in both of the forms that judge pictures.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use skyreels_core::checkpoint::Published;

use super::blocks::{Conv, Pool, halved};
use super::mixed::{MixedA, MixedB, MixedC, MixedD, MixedE};
use super::{INPUT_SIDE, resampled};
use crate::embed::Watch;

/// Which network of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InceptionVariant {
    /// TensorFlow's of 2015-12-05 with which FID is defined, in pytorch-fid's port.
    #[default]
    Fid,
    /// torchvision's, with its own weights and input scale, with which the original's script judges.
    Torchvision,
}

/// What torchvision trained with, and what the network expects: mean and deviation of each channel in 0..1.
const IMAGENET: [(f64, f64); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];
const EXPECTED: (f64, f64) = (0.5, 0.5);

impl InceptionVariant {
    /// Puts pictures in 0..1 on the network's size and scale.
    fn prepared(self, pictures: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Fid => resampled(pictures, INPUT_SIDE).mul_scalar(2.0).sub_scalar(1.0),
            // `transform_input`: as if the picture had been normalised for ImageNet, which it has not been.
            Self::Torchvision => {
                let (mean, deviation) = EXPECTED;
                let channel = |(index, (from_mean, from_deviation)): (usize, (f64, f64))| {
                    let plane = pictures.clone().narrow(1, index, 1);
                    plane.mul_scalar(from_deviation / deviation).add_scalar((from_mean - mean) / deviation)
                };
                Tensor::cat(IMAGENET.into_iter().enumerate().map(channel).collect(), 1)
            }
        }
    }

    /// Pools of the blocks, and of the last one.
    fn pools(self) -> [Pool; 2] {
        match self {
            Self::Fid => [Pool::Inside, Pool::Maximum],
            Self::Torchvision => [Pool::Padded, Pool::Padded],
        }
    }
}

/// The published networks have no sizes to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InceptionConfig {
    /// Which of the two.
    pub variant: InceptionVariant,
}

impl InceptionConfig {
    /// An untrained network.
    pub fn init(&self, device: &Device) -> InceptionNetwork {
        InceptionNetwork {
            conv2d_1a_3x3: Conv::inner(3, 32, 2, device),
            conv2d_2a_3x3: Conv::inner(32, 32, 1, device),
            conv2d_2b_3x3: Conv::same(32, 64, [3, 3], device),
            conv2d_3b_1x1: Conv::one(64, 80, device),
            conv2d_4a_3x3: Conv::inner(80, 192, 1, device),
            mixed_5b: MixedA::new(192, 32, device),
            mixed_5c: MixedA::new(256, 64, device),
            mixed_5d: MixedA::new(288, 64, device),
            mixed_6a: MixedB::new(288, device),
            mixed_6b: MixedC::new(768, 128, device),
            mixed_6c: MixedC::new(768, 160, device),
            mixed_6d: MixedC::new(768, 160, device),
            mixed_6e: MixedC::new(768, 192, device),
            mixed_7a: MixedD::new(768, device),
            mixed_7b: MixedE::new(1280, device),
            mixed_7c: MixedE::new(2048, device),
            variant: self.variant,
        }
    }
}

/// Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (CVPR 2016), with torchvision's keys.
#[derive(Module, Debug)]
pub struct InceptionNetwork {
    conv2d_1a_3x3: Conv,
    conv2d_2a_3x3: Conv,
    conv2d_2b_3x3: Conv,
    conv2d_3b_1x1: Conv,
    conv2d_4a_3x3: Conv,
    mixed_5b: MixedA,
    mixed_5c: MixedA,
    mixed_5d: MixedA,
    mixed_6a: MixedB,
    mixed_6b: MixedC,
    mixed_6c: MixedC,
    mixed_6d: MixedC,
    mixed_6e: MixedC,
    mixed_7a: MixedD,
    mixed_7b: MixedE,
    mixed_7c: MixedE,
    #[module(skip)]
    variant: InceptionVariant,
}

impl Published for InceptionNetwork {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("conv2d_1a_3x3", "Conv2d_1a_3x3"),
        ("conv2d_2a_3x3", "Conv2d_2a_3x3"),
        ("conv2d_2b_3x3", "Conv2d_2b_3x3"),
        ("conv2d_3b_1x1", "Conv2d_3b_1x1"),
        ("conv2d_4a_3x3", "Conv2d_4a_3x3"),
        ("mixed_5b", "Mixed_5b"),
        ("mixed_5c", "Mixed_5c"),
        ("mixed_5d", "Mixed_5d"),
        ("mixed_6a", "Mixed_6a"),
        ("mixed_6b", "Mixed_6b"),
        ("mixed_6c", "Mixed_6c"),
        ("mixed_6d", "Mixed_6d"),
        ("mixed_6e", "Mixed_6e"),
        ("mixed_7a", "Mixed_7a"),
        ("mixed_7b", "Mixed_7b"),
        ("mixed_7c", "Mixed_7c"),
    ];
    const IGNORED: &'static [&'static str] = &["AuxLogits.", "fc."];
}

impl InceptionNetwork {
    /// Which of the two it is.
    pub fn variant(&self) -> InceptionVariant {
        self.variant
    }

    /// The features of pictures.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]`, red, green, blue in 0..1 `-> [batch, 2048]`. FID's variant brings any size to 299 x 299
    /// itself; torchvision's wants pictures of that size.
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<2> {
        self.forward_watched(pictures, &mut |_, _| {})
    }

    /// Shows `block0`, `block1` and `block2` of pytorch-fid, on the way.
    pub(crate) fn forward_watched(&self, pictures: Tensor<4>, watch: &mut Watch) -> Tensor<2> {
        let [pool, last_pool] = self.variant.pools();
        let x = self.variant.prepared(pictures);
        let x = self.conv2d_2a_3x3.forward(self.conv2d_1a_3x3.forward(x));
        let x = halved(self.conv2d_2b_3x3.forward(x));
        watch("block0", &x);
        let x = halved(self.conv2d_4a_3x3.forward(self.conv2d_3b_1x1.forward(x)));
        watch("block1", &x);
        let x = self.mixed_5b.forward(x, pool);
        let x = self.mixed_5c.forward(x, pool);
        let x = self.mixed_5d.forward(x, pool);
        let x = self.mixed_6a.forward(x);
        let x = self.mixed_6b.forward(x, pool);
        let x = self.mixed_6c.forward(x, pool);
        let x = self.mixed_6d.forward(x, pool);
        let x = self.mixed_6e.forward(x, pool);
        watch("block2", &x);
        let x = self.mixed_7b.forward(self.mixed_7a.forward(x), pool);
        let x: Tensor<3> = self.mixed_7c.forward(x, last_pool).flatten(2, 3);
        x.mean_dim(2).squeeze_dim(2)
    }
}
