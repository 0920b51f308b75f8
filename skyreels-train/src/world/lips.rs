//! Where the lips are on the chart, and how they bulge.

use super::identity::{Identity, MouthShape};
use super::skull::Skull;
use super::vector::{hill, mix};

/// Rings of quads from the line between the lips to their border.
pub(super) const LIP_RINGS: usize = 4;
/// Rings of quads from the line between the lips to the grid.
pub(super) const MOUTH_RINGS: usize = 8;

/// The mouth of one person at rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lips {
    shape: MouthShape,
    /// Chart height of the line between the lips.
    pub(super) height: f32,
    /// Half the width of the mouth on the chart.
    pub(super) half_width: f32,
}

impl Lips {
    pub(super) fn new(identity: &Identity, skull: &Skull) -> Self {
        let shape = identity.mouth;
        Self { shape, height: skull.mouth_y, half_width: 2.62 + 0.24 * shape.width }
    }

    /// The line between the lips; `across` from the right corner (-1) to the left one (1).
    pub(super) fn contact(&self, across: f32) -> [f32; 2] {
        let wave = -0.07 * hill(across, 0.0, [0.0, 0.0], [0.25, 1.0])
            + 0.03 * hill(across.abs(), 0.0, [0.45, 0.0], [0.2, 1.0]);
        let corners = (0.10 + 0.10 * self.shape.corners) * across * across;
        [self.half_width * across, self.height + wave + corners]
    }

    /// The border of a lip.
    pub(super) fn border(&self, across: f32, upper: bool) -> [f32; 2] {
        let [x, y] = self.contact(across);
        let rest = (1.0 - across * across).max(0.0);
        let height = if upper {
            let full = 0.60 + 0.17 * self.shape.upper;
            let bow = (0.22 + 0.12 * self.shape.bow) * hill(across, 0.0, [0.0, 0.0], [0.14, 1.0]);
            let peaks = 0.12 * hill(across.abs(), 0.0, [0.25, 0.0], [0.16, 1.0]);
            full * (rest.powf(0.85) * (1.0 - bow + peaks))
        } else {
            -(0.78 + 0.2 * self.shape.lower) * rest.powf(0.62)
        };
        // The border runs around the corner.
        [x * 1.035, y + height]
    }

    /// Chart place on a ring; `rim` is where the ring meets the grid.
    pub(super) fn ring(&self, across: f32, upper: bool, ring: usize, rim: [f32; 2]) -> [f32; 2] {
        let (contact, border) = (self.contact(across), self.border(across, upper));
        let (from, to, share) = if ring <= LIP_RINGS {
            (contact, border, ring as f32 / LIP_RINGS as f32)
        } else {
            (border, rim, (ring - LIP_RINGS) as f32 / (MOUTH_RINGS - LIP_RINGS) as f32)
        };
        [0, 1].map(|axis| mix(from[axis], to[axis], share))
    }

    /// How far the lips stand out of the face at a ring.
    pub(super) fn bulge(&self, across: f32, upper: bool, ring: usize) -> f32 {
        // From the line between the lips outwards: in, full, border, and fading on the skin.
        const UPPER: [f32; MOUTH_RINGS + 1] = [-0.30, 0.12, 0.25, 0.25, 0.17, 0.05, 0.0, 0.0, 0.0];
        const LOWER: [f32; MOUTH_RINGS + 1] = [-0.30, 0.20, 0.38, 0.34, 0.12, 0.0, 0.0, 0.0, 0.0];
        let rest = (1.0 - across * across).max(0.0);
        let full = 1.0 + 0.3 * if upper { self.shape.upper } else { self.shape.lower };
        let profile = if upper { UPPER } else { LOWER }[ring];
        // At the corners only the dent stays.
        if profile < 0.0 {
            profile * mix(0.6, 1.0, rest)
        } else {
            profile * full * rest.powf(0.6) - 0.12 * (1.0 - rest) * (1.0 - ring as f32 / MOUTH_RINGS as f32)
        }
    }
}
