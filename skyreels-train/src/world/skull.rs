//! The surface of a head as a formula over a flat chart.
//!
//! The chart is the face spread flat: `x` runs around the head from the person's right (-) to the left (+), `y` up,
//! both in centimetres as seen from the front; beyond [`HALF_WIDTH`] it goes on around the back. A loft of profile
//! curves gives skull and jaw, hills on it give the features.

use std::f32::consts::FRAC_PI_2;

use super::identity::Identity;
use super::vector::{V3, hill, mix, smoothstep, v3};

/// Half the width of the chart's front.
pub(super) const HALF_WIDTH: f32 = 7.7;
/// Chart height of crown and underside of the jaw.
pub(super) const CROWN: f32 = 11.7;
pub(super) const UNDERSIDE: f32 = -10.0;
/// Chart height of the eyes' axis and the line between the lips on an average face.
pub(super) const EYE_Y: f32 = 2.3;
pub(super) const MOUTH_Y: f32 = -4.65;
/// Distance of the eyes from the middle.
pub(super) const EYE_X: f32 = 3.15;
/// Heads are flatter than real ones, because the camera stands closer than a photographer's.
const DEPTH: f32 = 0.86;

/// Heights of the profile curves.
const HEIGHTS: [f32; 16] =
    [-10.0, -9.75, -9.2, -8.2, -7.0, -5.5, -3.5, -1.5, 0.5, 2.5, 4.5, 6.5, 8.5, 10.2, 11.2, 11.7];
/// Half width of the cross-section.
const WIDTHS: [f32; 16] = [0.5, 1.9, 2.9, 3.95, 4.95, 5.9, 6.75, 7.35, 7.65, 7.7, 7.65, 7.3, 6.3, 4.5, 2.5, 0.4];
/// Front of the cross-section.
const FRONTS: [f32; 16] = [3.2, 4.4, 5.05, 5.35, 5.35, 5.6, 5.75, 5.65, 5.6, 5.75, 6.0, 5.7, 4.6, 2.8, 0.9, -0.8];
/// Where the cross-section is widest.
const MIDDLES: [f32; 16] = [2.6, 2.4, 2.0, 1.4, 0.7, 0.2, -0.4, -1.0, -1.5, -1.9, -2.1, -2.2, -2.2, -2.0, -1.8, -1.6];
/// Back of the cross-section.
const BACKS: [f32; 16] =
    [2.2, 1.6, 0.6, -0.8, -2.4, -4.2, -6.2, -8.0, -9.4, -10.2, -10.4, -10.0, -8.6, -6.4, -4.2, -2.4];

/// A smooth curve through values at [`HEIGHTS`] (Catmull and Rom), without its search.
#[derive(Debug, Clone, Copy)]
struct Place {
    index: usize,
    /// Weights of the four knots around.
    weights: [f32; 4],
}

impl Place {
    fn at(y: f32) -> Self {
        let last = HEIGHTS.len() - 2;
        let index = HEIGHTS.partition_point(|height| *height <= y).saturating_sub(1).min(last);
        let span = HEIGHTS[index + 1] - HEIGHTS[index];
        let t = ((y - HEIGHTS[index]) / span).clamp(0.0, 1.0);
        let (t2, t3) = (t * t, t * t * t);
        // Hermite weights with slopes by finite differences over uneven knots.
        let (h00, h10, h01, h11) = (2.0 * t3 - 3.0 * t2 + 1.0, t3 - 2.0 * t2 + t, 3.0 * t2 - 2.0 * t3, t3 - t2);
        let before = if index > 0 { span / (HEIGHTS[index + 1] - HEIGHTS[index - 1]) } else { 0.0 };
        let after = if index < last { span / (HEIGHTS[index + 2] - HEIGHTS[index]) } else { 0.0 };
        Self { index, weights: [-h10 * before, h00 - h11 * after, h01 + h10 * before, h11 * after] }
    }

    fn of(&self, values: &[f32; 16]) -> f32 {
        let before = values[self.index.saturating_sub(1)];
        let after = values[(self.index + 2).min(values.len() - 1)];
        let [a, b, c, d] = self.weights;
        a * before + b * values[self.index] + c * values[self.index + 1] + d * after
    }
}

/// The angle around the head of a chart column: 0 in front, positive to the person's left.
pub(super) fn angle(x: f32) -> f32 {
    let share = (x / HALF_WIDTH).abs();
    let angle = if share <= 1.0 { share.asin() } else { FRAC_PI_2 + share - 1.0 };
    angle.copysign(x)
}

/// The chart column of an angle.
pub(super) fn column(angle: f32) -> f32 {
    let turned = angle.abs();
    let share = if turned <= FRAC_PI_2 { turned.sin() } else { 1.0 + turned - FRAC_PI_2 };
    (share * HALF_WIDTH).copysign(angle)
}

/// One person's head as a formula.
#[derive(Debug, Clone)]
pub(super) struct Skull {
    identity: Identity,
    /// Chart place of the left eye.
    pub(super) eye: [f32; 2],
    /// Chart height of the line between the lips.
    pub(super) mouth_y: f32,
    /// Ridge heights of the nose.
    nose: [[f32; 2]; 13],
}

impl Skull {
    pub(super) fn new(identity: &Identity) -> Self {
        let (nose, eyes) = (&identity.nose, &identity.eyes);
        let low = -0.22 * nose.length + 0.12 * nose.upturn;
        let (bridge, tip) = (1.0 + 0.28 * nose.bridge, 1.0 + 0.16 * nose.tip);
        Self {
            eye: [EYE_X + 0.16 * eyes.spacing, EYE_Y],
            mouth_y: MOUTH_Y + 0.14 * identity.mouth.height - 0.12 * nose.length,
            nose: [
                [-3.3 + low, 0.0],
                [-2.9 + low, 0.05],
                [-2.55 + low, 0.32],
                [-2.2 + low, 0.95 * tip],
                [-1.85 + low, 1.62 * tip],
                [-1.5 + low, 2.02 * tip],
                [-1.1 + low, 2.1 * tip],
                [-0.5 + 0.5 * low, 1.80 * (tip + bridge) / 2.0],
                [0.4, 1.30 * bridge],
                [1.4, 0.84 * bridge],
                [2.4, 0.52 * bridge],
                [3.4, 0.30],
                [4.4, 0.0],
            ],
            identity: identity.clone(),
        }
    }

    /// Height of the tip of the nose on the chart.
    pub(super) fn nose_tip(&self) -> f32 {
        self.nose[6][0] - 0.12
    }

    /// The skull without features.
    pub(super) fn base(&self, angle: f32, y: f32) -> V3 {
        let head = &self.identity.head;
        let place = Place::at(y);
        let (sin, cos) = angle.sin_cos();
        let lower = smoothstep(-1.0, -6.0, y);
        let cheek = hill(0.0, y, [0.0, 0.3], [1.0, 2.6]);
        let wide = 1.0
            + 0.035 * head.width
            + 0.075 * head.jaw * lower
            + 0.02 * head.cheekbones * cheek
            + 0.03 * head.fullness * hill(0.0, y, [0.0, -4.0], [1.0, 3.0]);
        let middle = place.of(&MIDDLES);
        let front = place.of(&FRONTS);
        let reach = if cos > 0.0 { front - middle } else { middle - place.of(&BACKS) };
        // The front of a face is flatter than an ellipse.
        let flat = if cos > 0.0 { cos.powf(0.86) } else { cos };
        let stretch = 1.0 + 0.035 * head.length;
        let mut height = y * stretch;
        height += 0.55 * smoothstep(-5.5, -9.5, y);
        height -= 0.45 * head.chin_length * smoothstep(-5.5, -9.0, y);
        height += 0.45 * head.forehead * smoothstep(4.0, 9.0, y);
        v3(place.of(&WIDTHS) * wide * sin, height, DEPTH * (middle + reach * flat))
    }

    /// The skin at a chart place, eyes and lips closed over as if there were none.
    pub(super) fn surface(&self, x: f32, y: f32) -> V3 {
        let angle = angle(x);
        let mut point = self.base(angle, y);
        if x.abs() < HALF_WIDTH && y < 8.0 {
            point += self.features(x, y);
        }
        point
    }

    /// What the features add to the skull, in the front of the chart.
    fn features(&self, x: f32, y: f32) -> V3 {
        let Identity { head, eyes, nose, .. } = &self.identity;
        let ax = x.abs();
        let [eye_x, eye_y] = self.eye;
        let mut z = (0.42 + 0.22 * head.ridge) * hill(ax, y, [2.9, eye_y + 1.95], [2.2, 0.8])
            + 0.25 * hill(ax, y, [0.0, eye_y + 2.2], [1.6, 0.9])
            - (0.85 + 0.2 * eyes.depth) * hill(ax, y, [eye_x, eye_y], [1.9, 1.35])
            - 0.22 * hill(ax, y, [1.55, eye_y + 0.35], [0.7, 0.9]);
        z -= 0.3 * hill(ax, y, [6.4, 4.6], [1.2, 2.2]);
        let cheek = hill(ax, y, [4.3, -0.5], [2.0, 1.7]);
        z += (0.5 + 0.22 * head.cheekbones) * cheek;
        z += (0.28 * head.fullness - 0.25) * hill(ax, y, [4.5, -3.9], [1.8, 1.8]);
        let mouth_y = self.mouth_y;
        z += 0.5 * hill(ax, y, [0.0, mouth_y + 0.15], [2.8, 2.0]);
        z -= 0.32 * hill(ax, y, [0.0, mouth_y - 2.0], [1.7, 0.55]);
        z += (0.55 + 0.3 * head.chin) * hill(ax, y, [0.0, -8.35], [1.75, 1.15]);
        z -= 0.14 * hill(ax, y, [0.0, mouth_y + 1.45], [0.26, 0.5]);
        let (ridge, slope) = self.nose(ax, y);
        let base = self.nose[2][0];
        let wing_x = 1.06 + 0.2 * nose.width;
        let wing = hill(ax, y, [wing_x, base + 0.9], [0.5, 0.52]);
        z += ridge + 0.85 * wing - 0.3 * hill(ax, y, [0.55, base + 0.42], [0.3, 0.2]);
        let side = (0.35 * head.cheekbones * cheek + 0.12 * wing).copysign(x);
        // The tip hangs over, so that its underside looks down.
        v3(side, -0.3 * slope * (1.0 - 0.7 * nose.upturn), DEPTH * z)
    }

    /// Height of the nose above the face, and how much of its tip is here.
    fn nose(&self, ax: f32, y: f32) -> (f32, f32) {
        let knots = &self.nose;
        if ax > 3.2 || y < knots[0][0] || y > knots[12][0] {
            return (0.0, 0.0);
        }
        let at = knots.partition_point(|[height, _]| *height <= y).clamp(1, 12);
        let share = (y - knots[at - 1][0]) / (knots[at][0] - knots[at - 1][0]);
        let value = |i: usize| knots[i][1];
        // A cubic through four knots taken as even ones.
        let (a, b, c, d) = (value(at.max(2) - 2), value(at - 1), value(at), value((at + 1).min(12)));
        let ridge =
            b + 0.5 * share * (c - a + share * (2.0 * a - 5.0 * b + 4.0 * c - d + share * (3.0 * (b - c) + d - a)));
        let nose = &self.identity.nose;
        let low = smoothstep(1.2, -1.2, y);
        let width = mix(1.02 + 0.12 * nose.thickness, 1.02 + 0.12 * nose.width, low);
        let across = (-(ax / width) * (ax / width)).exp();
        let tip = hill(ax, y, [0.0, self.nose_tip() - 0.45], [0.85, 0.6]);
        (ridge * across, tip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chart_columns_and_angles_are_inverse() {
        for i in -30..=30 {
            let angle_in = 0.1 * i as f32;
            assert!((angle(column(angle_in)) - angle_in).abs() < 2e-3, "{angle_in}");
        }
    }

    #[test]
    fn profile_curves_pass_through_their_knots() {
        for (height, width) in HEIGHTS.iter().zip(WIDTHS) {
            assert!((Place::at(*height).of(&WIDTHS) - width).abs() < 1e-4);
        }
    }

    #[test]
    fn a_head_is_symmetrical_and_its_nose_stands_out() {
        for seed in 0..8 {
            let skull = Skull::new(&Identity::from_seed(seed));
            for (x, y) in [(1.0, -1.0), (3.0, 2.0), (6.0, -5.0)] {
                let (left, right) = (skull.surface(x, y), skull.surface(-x, y));
                assert!((left.x + right.x).abs() < 1e-5 && (left.z - right.z).abs() < 1e-5);
            }
            let tip = skull.surface(0.0, skull.nose_tip());
            assert!(tip.z > skull.surface(2.2, skull.nose_tip()).z + 1.0);
        }
    }
}
