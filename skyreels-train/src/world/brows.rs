//! Eyebrows: where they lie on the chart.

use super::identity::Identity;
use super::random::noise;
use super::skull::Skull;
use super::vector::{mix, smoothstep};

/// Both brows of one person; the right one is the mirror image of the left one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brows {
    inner: f32,
    outer: f32,
    height: f32,
    arch: f32,
    tilt: f32,
    thickness: f32,
}

impl Brows {
    pub(super) fn new(identity: &Identity, skull: &Skull) -> Self {
        let shape = &identity.brows;
        let [eye_x, eye_y] = skull.eye;
        Self {
            inner: eye_x - 1.95,
            outer: eye_x + 2.05 + 0.2 * shape.length,
            height: eye_y + 1.92 + 0.20 * shape.height,
            arch: 0.42 + 0.24 * shape.arch,
            tilt: 0.02 + 0.16 * shape.tilt,
            thickness: 0.27 + 0.09 * shape.thickness,
        }
    }

    /// Middle and half thickness at a share of the way from the inner to the outer end.
    fn at(&self, share: f32) -> [f32; 2] {
        // Highest beyond the middle, falling to the temple.
        let lift = (std::f32::consts::PI * (0.12 + 0.70 * share)).sin() - 0.37;
        let drop = -0.30 * smoothstep(0.65, 1.0, share);
        let middle = self.height + self.arch * lift + self.tilt * (share - 0.3) + drop;
        let taper = smoothstep(1.08, 0.55, share) * mix(0.8, 1.0, smoothstep(0.0, 0.25, share));
        [middle, self.thickness * taper.max(0.12)]
    }

    /// Chart place on the lower or upper edge.
    pub(super) fn edge(&self, share: f32, upper: bool, sign: f32) -> [f32; 2] {
        let [middle, half] = self.at(share);
        [sign * mix(self.inner, self.outer, share), if upper { middle + half } else { middle - half }]
    }

    /// How much of the skin a brow covers at a chart place, 0..1, without its hairs.
    pub(super) fn cover(&self, [x, y]: [f32; 2]) -> f32 {
        let share = (x.abs() - self.inner) / (self.outer - self.inner);
        if !(-0.05..=1.05).contains(&share) {
            return 0.0;
        }
        let [middle, half] = self.at(share.clamp(0.0, 1.0));
        let ends = smoothstep(-0.05, 0.06, share) * smoothstep(1.05, 0.97, share);
        ends * smoothstep(half + 0.09, half - 0.09, (y - middle).abs())
    }

    /// The same with hairs, as it is painted.
    pub(super) fn paint(&self, chart: [f32; 2]) -> f32 {
        let cover = self.cover(chart);
        if cover <= 0.0 {
            return 0.0;
        }
        let [x, y] = chart;
        // Hairs lean outwards.
        let hairs = noise((x.abs() - 0.8 * y) * 9.0, (y + 0.6 * x.abs()) * 2.2 + 31.0);
        cover * mix(0.72, 1.0, hairs)
    }
}
