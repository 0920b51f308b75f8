//! A head made by formula: 478 points where a drawing expects them, with a few muscles.
//!
//! The geometry is our own: an egg with a nose. Lengths are centimetres in the head's frame (x to the person's left,
//! y up, z out of the face).

use std::f64::consts::{PI, TAU};

use crate::LANDMARKS;
use crate::draw::contours::{FACE_OVAL, LEFT_EYE, LEFT_IRIS, NOSE_TIP, RIGHT_EYE, RIGHT_IRIS};
use crate::motion::anatomy::{LEFT_BROW, LOWER_LIP, RIGHT_BROW, UPPER_LIP};

/// Radii of the egg.
const RADII: [f64; 3] = [8.6, 11.0, 7.0];
/// Radii of the face oval on it, and how much the jaw is narrower.
const OVAL: [f64; 2] = [7.3, 9.2];
const JAW: f64 = 0.18;
const EYE_HEIGHT: f64 = 2.3;
const BROW_HEIGHT: f64 = 4.1;
const MOUTH_HEIGHT: f64 = -4.6;
const IRIS_RADIUS: f64 = 0.62;
/// Share of an eye's opening that lies below its axis.
const LOWER_LID: f64 = 0.4;

/// Upper and lower edge of the outer, then of the inner lips, from the right corner to the left one.
const LIPS: [[[usize; 11]; 2]; 2] = [[UPPER_LIP[0], LOWER_LIP[0]], [UPPER_LIP[1], LOWER_LIP[1]]];
/// Points of the nose: index and place.
const NOSE: [(usize, [f64; 2]); 14] = [
    (168, [0.0, 2.6]),
    (6, [0.0, 1.7]),
    (197, [0.0, 0.8]),
    (195, [0.0, 0.0]),
    (5, [0.0, -0.6]),
    (NOSE_TIP, [0.0, -1.1]),
    (1, [0.0, -1.5]),
    (2, [0.0, -2.3]),
    (129, [-1.7, -1.6]),
    (98, [-1.1, -2.1]),
    (97, [-0.5, -2.3]),
    (326, [0.5, -2.3]),
    (327, [1.1, -2.1]),
    (358, [1.7, -1.6]),
];

/// What makes one synthetic person differ from another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Identity {
    /// Half the distance of the eyes, their half width and their opening.
    pub(super) eyes: [f64; 3],
    /// Half width and lip thickness of the mouth.
    pub(super) mouth: [f64; 2],
    /// Height of the brows' arch.
    pub(super) brow_arch: f64,
    /// Width and height of the face relative to the standard.
    pub(super) face: [f64; 2],
}

impl Default for Identity {
    fn default() -> Self {
        Self { eyes: [3.1, 1.5, 0.95], mouth: [2.5, 0.75], brow_arch: 0.55, face: [1.0, 1.0] }
    }
}

/// Positions of the muscles; all zero is a neutral face with open eyes and a closed mouth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Expression {
    /// Closing of the right and the left eye, 0..1.
    pub(super) blink: [f64; 2],
    /// Where the eyes look: to the person's left and up, -1..1.
    pub(super) gaze: [f64; 2],
    /// Raising of the brows, 0..1.
    pub(super) brows: f64,
    /// Opening of the mouth, 0..1.
    pub(super) jaw: f64,
    /// Smile, 0..1.
    pub(super) smile: f64,
}

/// Height of the face's surface above the plane through its rim.
pub(super) fn surface(x: f64, y: f64) -> f64 {
    let inside = 1.0 - (x / RADII[0]).powi(2) - (y / RADII[1]).powi(2);
    let bump =
        |height: f64, [wide, high]: [f64; 2], at: f64| height * (-(x / wide).powi(2) - ((y - at) / high).powi(2)).exp();
    RADII[2] * inside.max(0.0).sqrt() + bump(1.3, [0.9, 2.2], 0.4) + bump(1.3, [1.3, 0.9], -1.2)
}

/// The 478 points of a face.
pub(super) fn points(identity: &Identity, expression: &Expression) -> Vec<[f64; 3]> {
    let mut flat = scattered();
    place_oval(&mut flat, expression);
    for (index, place) in NOSE {
        flat[index] = Some(place);
    }
    place_eyes(&mut flat, identity, expression);
    place_brows(&mut flat, identity, expression);
    place_mouth(&mut flat, identity, expression);
    let on_head = |[x, y]: [f64; 2]| [x * identity.face[0], y * identity.face[1], surface(x, y)];
    flat.into_iter().map(|place| on_head(place.unwrap_or_default())).collect()
}

type Flat = Vec<Option<[f64; 2]>>;

/// Points of no special meaning, spread evenly over the face like the seeds of a sunflower.
fn scattered() -> Flat {
    const GOLDEN_ANGLE: f64 = 2.399_963_229_728_653;
    let seed = |i: usize| {
        let (radius, angle) = (0.9 * (i as f64 / LANDMARKS as f64).sqrt(), i as f64 * GOLDEN_ANGLE);
        Some([OVAL[0] * radius * angle.sin(), OVAL[1] * radius * angle.cos()])
    };
    (0..LANDMARKS).map(seed).collect()
}

/// How far the jaw takes a point of this height down when the mouth opens.
fn jaw_drop(y: f64, expression: &Expression) -> f64 {
    const DROP: f64 = 1.5;
    DROP * expression.jaw * ((MOUTH_HEIGHT - y) / (OVAL[1] + MOUTH_HEIGHT)).clamp(0.0, 1.0)
}

fn place_oval(flat: &mut Flat, expression: &Expression) {
    for (i, index) in FACE_OVAL.into_iter().enumerate() {
        let angle = TAU * i as f64 / FACE_OVAL.len() as f64;
        let (x, y) = (OVAL[0] * angle.sin(), OVAL[1] * angle.cos());
        let narrow = 1.0 - JAW * (-y / OVAL[1]).max(0.0);
        flat[index] = Some([x * narrow, y - jaw_drop(y, expression)]);
    }
}

fn place_eyes(flat: &mut Flat, identity: &Identity, expression: &Expression) {
    let [apart, half_width, opening] = identity.eyes;
    for (side, (contour, iris)) in [(RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)].into_iter().enumerate() {
        let center = if side == 0 { -apart } else { apart };
        // A smile narrows the eyes from below.
        let lower = opening * (LOWER_LID - 0.12 * expression.smile);
        let upper = opening * (1.0 - LOWER_LID) * (1.0 - expression.blink[side]) - lower * expression.blink[side];
        for (k, index) in contour.into_iter().enumerate() {
            let (along, lid) = if k <= 8 { (k as f64 / 8.0, -lower) } else { ((16 - k) as f64 / 8.0, upper) };
            let x = center - half_width * (PI * along).cos();
            flat[index] = Some([x, EYE_HEIGHT + lid * (PI * along).sin()]);
        }
        let [left, up] = expression.gaze;
        let middle = [center + 0.55 * left, EYE_HEIGHT + 0.1 + 0.3 * up - 0.25 * expression.blink[side]];
        flat[iris] = Some(middle);
        for k in 0..4 {
            let (sin, cos) = (PI / 2.0 * k as f64).sin_cos();
            flat[iris + 1 + k] = Some([middle[0] + IRIS_RADIUS * cos, middle[1] + IRIS_RADIUS * sin]);
        }
    }
}

fn place_brows(flat: &mut Flat, identity: &Identity, expression: &Expression) {
    const HALF_WIDTH: f64 = 2.1;
    const THICKNESS: f64 = 0.6;
    for (side, rows) in [(-1.0, RIGHT_BROW), (1.0, LEFT_BROW)] {
        for (row, indices) in rows.into_iter().enumerate() {
            for (k, index) in indices.into_iter().enumerate() {
                let inward = k as f64 / 4.0;
                let x = side * (identity.eyes[0] + HALF_WIDTH * (1.1 - 2.0 * inward));
                let arch = identity.brow_arch * (PI * (0.15 + 0.6 * inward)).sin();
                let thickness = row as f64 * THICKNESS * (0.4 + 0.6 * inward);
                flat[index] = Some([x, BROW_HEIGHT + arch + thickness + 0.9 * expression.brows]);
            }
        }
    }
}

fn place_mouth(flat: &mut Flat, identity: &Identity, expression: &Expression) {
    let Expression { jaw, smile, .. } = *expression;
    let half_width = identity.mouth[0] * (1.0 + 0.22 * smile - 0.12 * jaw);
    let gap = 2.2 * jaw;
    for (ring, edges) in LIPS.into_iter().enumerate() {
        let (reach, thickness) = if ring == 0 { (half_width, identity.mouth[1]) } else { (half_width * 0.84, 0.0) };
        for (edge, indices) in edges.into_iter().enumerate() {
            for (k, index) in indices.into_iter().enumerate() {
                let along = k as f64 / 10.0;
                let bulge = (PI * along).sin();
                // The upper lip has a dip in the middle, the lower one is fuller.
                let dip = 1.0 - 0.25 * (-((along - 0.5) / 0.1).powi(2)).exp();
                let height = if edge == 0 { thickness * bulge * dip } else { -(1.15 * thickness + gap) * bulge };
                let corners = 0.75 * smile * (2.0 * along - 1.0).powi(2) - 0.1 * smile;
                flat[index] = Some([-reach * (PI * along).cos(), MOUTH_HEIGHT + height + corners - 0.15 * jaw]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Openness, Proportions};

    fn measured(expression: Expression) -> (Proportions, Openness) {
        let points: Vec<[f32; 3]> =
            points(&Identity::default(), &expression).iter().map(|p| p.map(|v| v as f32)).collect();
        (Proportions::of(&points), Openness::of(&points))
    }

    #[test]
    fn the_head_is_built_like_a_head() {
        let (sizes, open) = measured(Expression::default());
        assert!(sizes.face[1] > sizes.face[0] && sizes.face[0] > sizes.eye_width[0] * 4.0);
        assert!(sizes.mouth_width > sizes.eye_width[0]);
        assert!(open.eyes[0] > 0.5 && open.mouth < 1e-6);
    }

    #[test]
    fn each_muscle_does_what_it_is_called() {
        let (neutral, rest) = measured(Expression::default());
        let (_, blink) = measured(Expression { blink: [1.0, 0.0], ..Expression::default() });
        assert!(blink.eyes[0] < 0.05 && (blink.eyes[1] - rest.eyes[1]).abs() < 1e-6);
        let (_, open) = measured(Expression { jaw: 1.0, ..Expression::default() });
        assert!(open.mouth > 1.5);
        let (smile, _) = measured(Expression { smile: 1.0, ..Expression::default() });
        assert!(smile.mouth_width > neutral.mouth_width * 1.1);
    }
}
