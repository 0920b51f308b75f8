//! Sizes of a face that tell how far the same expression moves on another one.

use crate::LANDMARKS;

/// Cheek to cheek, forehead to chin, and nose tip to the plane of the ears.
const WIDTH: [usize; 2] = [234, 454];
const HEIGHT: [usize; 2] = [10, 152];
const NOSE_TIP: usize = 4;
/// Corners of the right and the left eye.
const EYE_CORNERS: [[usize; 2]; 2] = [[33, 133], [362, 263]];
/// Pairs of points of the upper and lower lid.
const LIDS: [[[usize; 2]; 3]; 2] = [[[160, 144], [159, 145], [158, 153]], [[385, 380], [386, 374], [387, 373]]];
/// Corners of the mouth.
const MOUTH_CORNERS: [usize; 2] = [61, 291];
/// Inner edges of the upper and lower lip.
const INNER_LIPS: [usize; 2] = [13, 14];

/// Sizes of one face in the canonical head's frame, in centimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportions {
    /// Width, height and depth of the face.
    pub face: [f32; 3],
    /// Distance between the corners of the right and the left eye.
    pub eye_width: [f32; 2],
    /// Distance between the corners of the mouth.
    pub mouth_width: f32,
}

/// How far eyes and mouth are open, in centimetres.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Openness {
    /// Gap between the lids of the right and the left eye.
    pub eyes: [f32; 2],
    /// Gap between the inner lips.
    pub mouth: f32,
}

fn distance(points: &[[f32; 3]], [a, b]: [usize; 2]) -> f32 {
    let [x, y, z] = std::array::from_fn(|axis| points[a][axis] - points[b][axis]);
    x.hypot(y).hypot(z)
}

impl Proportions {
    /// Measures 478 points in the head's frame.
    pub(crate) fn of(points: &[[f32; 3]]) -> Self {
        debug_assert_eq!(points.len(), LANDMARKS);
        let ears = (points[WIDTH[0]][2] + points[WIDTH[1]][2]) / 2.0;
        Self {
            face: [distance(points, WIDTH), distance(points, HEIGHT), (points[NOSE_TIP][2] - ears).abs()],
            eye_width: EYE_CORNERS.map(|corners| distance(points, corners)),
            mouth_width: distance(points, MOUTH_CORNERS),
        }
    }

    /// All sizes in the order of a motion file.
    pub(crate) fn to_array(self) -> [f32; 6] {
        let ([w, h, d], [right, left]) = (self.face, self.eye_width);
        [w, h, d, right, left, self.mouth_width]
    }

    /// Sizes from a motion file.
    pub(crate) fn from_array([w, h, d, right, left, mouth_width]: [f32; 6]) -> Self {
        Self { face: [w, h, d], eye_width: [right, left], mouth_width }
    }
}

impl Openness {
    /// Measures 478 points in the head's frame.
    pub(crate) fn of(points: &[[f32; 3]]) -> Self {
        Self::measured(points, distance)
    }

    /// The same, but less than 0 where an upper edge lies below the lower one.
    pub(crate) fn signed(points: &[[f32; 3]]) -> Self {
        Self::measured(points, |points, [upper, lower]| {
            distance(points, [upper, lower]).copysign(points[upper][1] - points[lower][1])
        })
    }

    fn measured(points: &[[f32; 3]], gap: impl Fn(&[[f32; 3]], [usize; 2]) -> f32) -> Self {
        let eye = |pairs: [[usize; 2]; 3]| pairs.map(|pair| gap(points, pair)).iter().sum::<f32>() / 3.0;
        Self { eyes: LIDS.map(eye), mouth: gap(points, INNER_LIPS) }
    }
}
