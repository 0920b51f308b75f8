//! What a face does, in MediaPipe's 52 words, and where the head is.

use skyreels_landmarks::{BLENDSHAPE_NAMES, BLENDSHAPES};

use super::vector::{Rotation, V3};

/// Number of a control; a wrong name does not compile.
pub(super) const fn control(name: &str) -> usize {
    let mut index = 0;
    while index < BLENDSHAPES {
        if same(BLENDSHAPE_NAMES[index], name) {
            return index;
        }
        index += 1;
    }
    panic!("no such blendshape")
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const LOOK_IN: [usize; 2] = [control("eyeLookInRight"), control("eyeLookInLeft")];
const LOOK_OUT: [usize; 2] = [control("eyeLookOutRight"), control("eyeLookOutLeft")];
const LOOK_UP: [usize; 2] = [control("eyeLookUpRight"), control("eyeLookUpLeft")];
const LOOK_DOWN: [usize; 2] = [control("eyeLookDownRight"), control("eyeLookDownLeft")];

/// Weights of the 52 expression controls, named by [`BLENDSHAPE_NAMES`]; all zero is a neutral face with open eyes
/// and a closed mouth.
///
/// `_neutral` moves nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expression {
    weights: [f32; BLENDSHAPES],
}

impl Default for Expression {
    fn default() -> Self {
        Self { weights: [0.0; BLENDSHAPES] }
    }
}

impl Expression {
    /// An expression with these weights, in the order of [`BLENDSHAPE_NAMES`]; each is held to 0..1.
    pub fn from_weights(weights: [f32; BLENDSHAPES]) -> Self {
        Self { weights: weights.map(held) }
    }

    /// All weights, in the order of [`BLENDSHAPE_NAMES`].
    pub fn weights(&self) -> &[f32; BLENDSHAPES] {
        &self.weights
    }

    /// Weight of a control; `None` when there is none of this name.
    pub fn get(&self, name: &str) -> Option<f32> {
        BLENDSHAPE_NAMES.iter().position(|known| *known == name).map(|index| self.weights[index])
    }

    /// The expression with one weight changed, held to 0..1. A name that does not exist changes nothing.
    #[must_use]
    pub fn with(mut self, name: &str, weight: f32) -> Self {
        if let Some(index) = BLENDSHAPE_NAMES.iter().position(|known| *known == name) {
            self.weights[index] = held(weight);
        }
        self
    }

    /// The expression with both eyes looking to the person's left and up; -1..1 each.
    #[must_use]
    pub fn looking(mut self, left: f32, up: f32) -> Self {
        // The right eye looks inwards when the left one looks outwards.
        for (side, outward) in [(0, -left), (1, left)] {
            self.weights[LOOK_OUT[side]] = held(outward);
            self.weights[LOOK_IN[side]] = held(-outward);
            self.weights[LOOK_UP[side]] = held(up);
            self.weights[LOOK_DOWN[side]] = held(-up);
        }
        self
    }

    /// Where the right (0) or left (1) eye looks: to the person's left and up, -1..1.
    pub fn gaze(&self, side: usize) -> [f32; 2] {
        let side = side.min(1);
        let outward = self.weights[LOOK_OUT[side]] - self.weights[LOOK_IN[side]];
        let left = if side == 0 { -outward } else { outward };
        [left, self.weights[LOOK_UP[side]] - self.weights[LOOK_DOWN[side]]]
    }

    pub(super) fn at(&self, index: usize) -> f32 {
        self.weights[index]
    }

    pub(super) fn set(&mut self, index: usize, weight: f32) {
        self.weights[index] = held(weight);
    }
}

/// A weight in 0..1; what is no number is 0.
fn held(weight: f32) -> f32 {
    // Adding zero turns -0 into 0: equal weights have equal bytes.
    if weight.is_nan() { 0.0 } else { weight.clamp(0.0, 1.0) + 0.0 }
}

/// Where the head is and how it is turned.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// Radians: nod up, turn to the person's left, tilt to the person's right shoulder.
    pub rotation: [f32; 3],
    /// Centimetres from the usual place: the person's left (right in the picture), up, towards the camera.
    pub translation: [f32; 3],
}

impl Pose {
    pub(super) fn turn(&self) -> Rotation {
        Rotation::turned(self.rotation)
    }

    pub(super) fn shift(&self) -> V3 {
        self.translation.into()
    }
}

/// Everything about a person that changes from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct State {
    /// What the face does, gaze and blinking included.
    pub expression: Expression,
    /// Where the head is.
    pub pose: Pose,
}
