//! ArcFace's backbone: insightface's `iresnet`.

use std::collections::BTreeSet;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use skyreels_core::checkpoint::Published;
use skyreels_core::nn::{BatchNorm, linear};

use super::unit::{EPSILON, Shortcut, Stem, Unit};
use super::{EMBEDDING, Watch};

/// Channels of the four stages.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// Places of the last stage: a face of 112 pixels, halved four times.
const PLACES: usize = 7 * 7;

/// Which of insightface's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArcFaceConfig {
    /// Units of each stage.
    pub units: [usize; 4],
}

impl ArcFaceConfig {
    /// `iresnet18`.
    pub const R18: Self = Self { units: [2, 2, 2, 2] };
    /// `iresnet34`.
    pub const R34: Self = Self { units: [3, 4, 6, 3] };
    /// `iresnet50`, the depth of buffalo_l's `w600k_r50`, with which the original judges.
    pub const R50: Self = Self { units: [3, 4, 14, 3] };
    /// `iresnet100`.
    pub const R100: Self = Self { units: [3, 13, 30, 3] };
    /// `iresnet200`.
    pub const R200: Self = Self { units: [6, 26, 60, 6] };
    /// Every depth that insightface has published.
    pub const PUBLISHED: [Self; 5] = [Self::R18, Self::R34, Self::R50, Self::R100, Self::R200];

    /// The depth of a checkpoint with these keys; `None` when they are not those of an iresnet.
    pub fn of_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut units = [const { BTreeSet::new() }; 4];
        for key in keys {
            let Some((stage, rest)) = key.strip_prefix("layer").and_then(|rest| rest.split_once('.')) else { continue };
            let stage = stage.parse::<usize>().ok()?.checked_sub(1).filter(|stage| *stage < units.len())?;
            units[stage].insert(rest.split('.').next()?.to_string());
        }
        let found = Self { units: units.map(|stage| stage.len()) };
        Self::PUBLISHED.into_iter().find(|published| *published == found)
    }

    /// An untrained network.
    pub fn init(&self, device: &Device) -> ArcFaceNetwork {
        let mut from = WIDTHS[0];
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            let unit = |index: usize| {
                let unit =
                    Unit::new([from, WIDTHS[stage]], if index == 0 { 2 } else { 1 }, Shortcut::Convolution, device);
                from = WIDTHS[stage];
                unit
            };
            (0..self.units[stage]).map(unit).collect()
        });
        ArcFaceNetwork {
            stem: Stem::new(WIDTHS[0], device),
            layer1,
            layer2,
            layer3,
            layer4,
            bn2: BatchNorm::new(WIDTHS[3], EPSILON, device),
            fc: linear(WIDTHS[3] * PLACES, EMBEDDING, device),
            features: BatchNorm::new(EMBEDDING, EPSILON, device),
        }
    }
}

/// `iresnet` of insightface's arcface_torch: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
/// Recognition" (CVPR 2019).
#[derive(Module, Debug)]
pub struct ArcFaceNetwork {
    stem: Stem,
    layer1: Vec<Unit>,
    layer2: Vec<Unit>,
    layer3: Vec<Unit>,
    layer4: Vec<Unit>,
    bn2: BatchNorm,
    fc: Linear,
    features: BatchNorm,
}

impl Published for ArcFaceNetwork {
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("stem.conv1", "conv1"),
        ("stem.bn1", "bn1"),
        ("stem.prelu", "prelu"),
        ("downsample.conv", "downsample.0"),
        ("downsample.norm", "downsample.1"),
    ];
}

impl ArcFaceNetwork {
    /// The embeddings of aligned faces, as the network gives them: compare them by their angle.
    ///
    /// # Shapes
    /// `[batch, 3, 112, 112]`, red, green, blue in -1..1 `-> [batch, 512]`
    pub fn forward(&self, faces: Tensor<4>) -> Tensor<2> {
        self.forward_watched(faces, &mut |_, _| {})
    }

    pub(crate) fn forward_watched(&self, faces: Tensor<4>, watch: &mut Watch) -> Tensor<2> {
        let mut x = self.stem.forward(faces);
        for (number, stage) in [&self.layer1, &self.layer2, &self.layer3, &self.layer4].into_iter().enumerate() {
            for (index, unit) in stage.iter().enumerate() {
                x = unit.forward(x);
                watch(&format!("layer{}.{index}", number + 1), &x);
            }
            watch(&format!("layer{}", number + 1), &x);
        }
        let x: Tensor<2> = self.bn2.forward(x).flatten(1, 3);
        self.features.forward(self.fc.forward(x))
    }
}
