//! Backbone, a pyramid that goes down and up again, and the head.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use skyreels_core::checkpoint::Published;

use super::backbone::{Backbone, convolution};
use super::head::Head;
use crate::detection::enlarged;

/// Pixels of the input from one place to the next, on the three levels.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

/// Sizes of the network; those of `scrfd_10g_bnkps` by [`Default`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScrfdConfig {
    /// Channels of the stem.
    pub stem: usize,
    /// Blocks and channels of each stage.
    pub stages: [(usize, usize); 4],
    /// Channels of the pyramid.
    pub neck: usize,
    /// Channels of the head.
    pub head: usize,
    /// Convolutions before the head's last ones.
    pub head_depth: usize,
}

impl Default for ScrfdConfig {
    fn default() -> Self {
        Self { stem: 56, stages: [(3, 56), (4, 88), (2, 88), (3, 224)], neck: 56, head: 80, head_depth: 3 }
    }
}

impl ScrfdConfig {
    /// An untrained network.
    pub fn init(&self, device: &Device) -> ScrfdNetwork {
        let [_, fine, middle, coarse] = self.stages.map(|(_, channels)| channels);
        ScrfdNetwork {
            backbone: Backbone::new(self.stem, self.stages, device),
            neck: Neck::new([fine, middle, coarse], self.neck, device),
            bbox_head: Head::new(self.neck, self.head, self.head_depth, device),
        }
    }
}

/// `SCRFD` of insightface. Keys are those of `scrfd_10g_bnkps.pth`.
#[derive(Module, Debug)]
pub struct ScrfdNetwork {
    backbone: Backbone,
    neck: Neck,
    bbox_head: Head,
}

impl Published for ScrfdNetwork {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("stem.conv0", "stem.0"),
        ("stem.norm1", "stem.1"),
        ("stem.conv3", "stem.3"),
        ("stem.norm4", "stem.4"),
        ("stem.conv6", "stem.6"),
        ("stem.norm7", "stem.7"),
        ("shortcut_conv", "1"),
        ("shortcut_norm", "2"),
        ("stride8", "(8, 8)"),
        ("stride16", "(16, 16)"),
        ("stride32", "(32, 32)"),
    ];
    /// The head's table for distributions of edges, which this variant does not use.
    const IGNORED: &'static [&'static str] = &["bbox_head.integral."];
}

/// What the network says at the places of one stride.
#[derive(Debug, Clone)]
pub struct StrideTensors {
    /// Pixels of the input from one place to the next.
    pub stride: usize,
    /// How sure it is of a face, `[batch, places * 2, 1]`.
    pub scores: Tensor<3>,
    /// Distances of the edges in strides, `[batch, places * 2, 4]`.
    pub edges: Tensor<3>,
    /// Offsets of five points in strides, `[batch, places * 2, 10]`.
    pub points: Tensor<3>,
}

impl ScrfdNetwork {
    /// Looks at inputs.
    ///
    /// # Shapes
    /// `[batch, 3, height, width]` as [`Letterbox::blob`](super::Letterbox::blob) makes them.
    pub fn forward(&self, inputs: Tensor<4>) -> [StrideTensors; 3] {
        self.bbox_head.forward(self.neck.forward(self.backbone.forward(inputs)))
    }
}

/// A convolution with a bias and nothing after it.
#[derive(Module, Debug)]
struct Plain {
    conv: Conv2d,
}

/// `PAFPN`: coarse levels are added to finer ones, then fine ones to coarser ones.
#[derive(Module, Debug)]
struct Neck {
    lateral_convs: Vec<Plain>,
    fpn_convs: Vec<Plain>,
    downsample_convs: Vec<Plain>,
    pafpn_convs: Vec<Plain>,
}

impl Neck {
    fn new(from: [usize; 3], width: usize, device: &Device) -> Self {
        let plain = |from: usize, kernel: usize, stride: usize| Plain {
            conv: convolution([from, width], kernel, stride, true, device),
        };
        Self {
            lateral_convs: from.map(|from| plain(from, 1, 1)).into(),
            fpn_convs: [0; 3].map(|_| plain(width, 3, 1)).into(),
            downsample_convs: [0; 2].map(|_| plain(width, 3, 2)).into(),
            pafpn_convs: [0; 2].map(|_| plain(width, 3, 1)).into(),
        }
    }

    fn forward(&self, [fine, middle, coarse]: [Tensor<4>; 3]) -> [Tensor<4>; 3] {
        let lateral = |i: usize, x| self.lateral_convs[i].conv.forward(x);
        let (fine, middle, coarse) = (lateral(0, fine), lateral(1, middle), lateral(2, coarse));
        let middle = enlarged(&coarse, &middle) + middle;
        let fine = enlarged(&middle, &fine) + fine;

        let smooth = |i: usize, x| self.fpn_convs[i].conv.forward(x);
        let (fine, middle, coarse) = (smooth(0, fine), smooth(1, middle), smooth(2, coarse));
        let middle = middle + self.downsample_convs[0].conv.forward(fine.clone());
        let coarse = coarse + self.downsample_convs[1].conv.forward(middle.clone());
        [fine, self.pafpn_convs[0].conv.forward(middle), self.pafpn_convs[1].conv.forward(coarse)]
    }
}
