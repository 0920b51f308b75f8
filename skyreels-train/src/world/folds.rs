//! Folds that an expression presses into the skin: seen as a little less light.

use super::expression::{Expression, control};
use super::face::Face;
use super::mesh::Mesh;
use super::vector::{hill, mix};

/// A fold that comes with a pair of controls (right, left).
struct Fold {
    controls: [usize; 2],
    strength: f32,
    /// How deep it is at a chart place of the left half.
    depth: fn(&Marks, f32, f32) -> f32,
}

/// What folds lie between.
struct Marks {
    eye: [f32; 2],
    nose: f32,
    mouth: [f32; 2],
}

/// From the wing of the nose around the corner of the mouth.
fn cheek(marks: &Marks, x: f32, y: f32) -> f32 {
    let [half, height] = marks.mouth;
    let share = ((marks.nose - y) / (marks.nose - height + 0.5)).clamp(0.0, 1.0);
    let line = mix(1.75, half + 0.75, share.powf(0.8));
    hill(x - line, y, [0.0, 0.5 * (marks.nose + height)], [0.26, 1.5])
}

/// Between the brows.
fn frown(marks: &Marks, x: f32, y: f32) -> f32 {
    hill(x, y, [0.55, marks.eye[1] + 1.9], [0.22, 0.8])
}

/// Across the forehead.
fn forehead(marks: &Marks, x: f32, y: f32) -> f32 {
    let wave = y - 0.12 * (x - 2.0) * (2.0 - x) - marks.eye[1];
    (hill(x, wave, [1.2, 3.6], [2.8, 0.2]) + 0.8 * hill(x, wave, [1.2, 4.35], [2.6, 0.2])).min(1.0)
}

/// Below the eye and at its outer corner.
fn under_eye(marks: &Marks, x: f32, y: f32) -> f32 {
    hill(x, y, [marks.eye[0], marks.eye[1] - 1.05], [1.5, 0.22])
        + 0.7 * hill(x, y, [marks.eye[0] + 2.2, marks.eye[1] - 0.2], [0.4, 0.5])
}

const FOLDS: [Fold; 7] = [
    Fold { controls: [control("mouthSmileRight"), control("mouthSmileLeft")], strength: 0.42, depth: cheek },
    Fold { controls: [control("noseSneerRight"), control("noseSneerLeft")], strength: 0.30, depth: cheek },
    Fold { controls: [control("mouthUpperUpRight"), control("mouthUpperUpLeft")], strength: 0.22, depth: cheek },
    Fold { controls: [control("browDownRight"), control("browDownLeft")], strength: 0.35, depth: frown },
    Fold { controls: [control("browInnerUp"); 2], strength: 0.16, depth: forehead },
    Fold { controls: [control("cheekSquintRight"), control("cheekSquintLeft")], strength: 0.25, depth: under_eye },
    Fold { controls: [control("eyeSquintRight"), control("eyeSquintLeft")], strength: 0.25, depth: under_eye },
];
/// Shallower places of a fold are left out.
const SHALLOW: f32 = 0.02;

/// All folds of one face: for each control the corners and how much light they lose.
#[derive(Debug, Clone)]
pub(super) struct Folds {
    losses: Vec<(usize, Vec<(u32, f32)>)>,
}

impl Folds {
    /// The folds of a face whose skin is the first thing in the mesh.
    pub(super) fn new(face: &Face, mesh: &Mesh) -> Self {
        let skull = face.skull();
        let marks = Marks { eye: skull.eye, nose: skull.nose_tip(), mouth: [face.lips.half_width, face.lips.height] };
        let mut losses = Vec::new();
        for fold in &FOLDS {
            for (control, sign) in fold.controls.into_iter().zip([-1.0, 1.0]) {
                let depth = |(i, corner): (usize, &super::mesh::Corner)| {
                    let x = sign * corner.chart[0];
                    let inside = x > 0.0 && corner.lip < 0.5;
                    let loss = if inside { fold.strength * (fold.depth)(&marks, x, corner.chart[1]) } else { 0.0 };
                    (loss > SHALLOW).then_some((i as u32, loss))
                };
                losses
                    .push((control, mesh.corners.iter().take(face.corners()).enumerate().filter_map(depth).collect()));
            }
        }
        Self { losses }
    }

    /// Takes light away.
    pub(super) fn press(&self, expression: &Expression, open: &mut [f32]) {
        for (control, corners) in &self.losses {
            let weight = expression.at(*control);
            if weight > 0.0 {
                for (corner, loss) in corners {
                    open[*corner as usize] *= 1.0 - loss * weight;
                }
            }
        }
    }
}
