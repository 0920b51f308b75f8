//! What is known about one face of one frame.

use super::angles::HeadAngles;
use super::blendshapes::BLENDSHAPES;
use super::iris::Iris;
use super::mesh::LANDMARKS;
use crate::{Openness, Proportions};

/// One face of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    /// Whose face it is: the same number for the same person throughout a [stream](super::FaceStream), counted from 0 in
    /// order of appearance; `None` where a picture was looked at on its own.
    pub id: Option<u32>,
    /// 478 points (468 of the mesh, 5 of each iris): x and y relative to the frame's width and height, z on the
    /// scale of x, smaller towards the camera.
    pub landmarks: Vec<[f32; 3]>,
    /// Expression scores in 0..1, named by [`BLENDSHAPE_NAMES`](super::BLENDSHAPE_NAMES).
    pub blendshapes: [f32; BLENDSHAPES],
    /// Canonical head to camera in centimetres, row-major, the translation in the last column.
    ///
    /// The camera looks along -z, x points right, y up. The upper left 3x3 block is rotation times scale.
    pub matrix: [[f32; 4]; 4],
    /// The landmarks in the canonical head's own frame in centimetres: what is left of a face when position,
    /// rotation and scale are taken away, that is identity and expression.
    pub head_points: Vec<[f32; 3]>,
    /// How sure the landmark network is that it saw a face, 0..1.
    pub presence: f32,
    /// Score of the detector, 0..1; of the frame in which it last saw this face where the face is followed by its
    /// landmarks.
    pub score: f32,
    /// The box around the landmarks relative to the frame: left, top, right, bottom; may reach outside.
    pub bbox: [f32; 4],
}

impl Face {
    /// Size of the head relative to the canonical one, by construction close to 1.
    pub fn scale(&self) -> f32 {
        let [x, y, z] = [0, 1, 2].map(|row| self.matrix[row][0]);
        x.hypot(y).hypot(z)
    }

    /// Rotation of the head, row-major, without scale.
    pub fn rotation(&self) -> [[f32; 3]; 3] {
        let scale = self.scale();
        std::array::from_fn(|row| std::array::from_fn(|column| self.matrix[row][column] / scale))
    }

    /// The same rotation as yaw, pitch and roll in degrees.
    pub fn angles(&self) -> HeadAngles {
        HeadAngles::of(self.rotation())
    }

    /// Where the canonical head's origin is, seen from the camera, in centimetres.
    pub fn translation(&self) -> [f32; 3] {
        std::array::from_fn(|row| self.matrix[row][3])
    }

    /// The right and the left iris in a frame of `size` = width, height; `None` where a point is missing.
    pub fn irises(&self, size: [u32; 2]) -> [Option<Iris>; 2] {
        Iris::both(&self.landmarks, size)
    }

    /// The gaps between the lids and between the inner lips, in centimetres of the canonical head; `None` unless
    /// there are 478 head points.
    pub fn openness(&self) -> Option<Openness> {
        (self.head_points.len() == LANDMARKS).then(|| Openness::of(&self.head_points))
    }

    /// How far the right and the left eye are open: the mean gap between the lids at three places over the distance of
    /// the eye's corners, both in the head's frame, so that turning the head changes little. About 0.25 to 0.4 for
    /// an open eye, below 0.15 for a closed one (the lids' contours never touch).
    pub fn eye_openness(&self) -> Option<[f32; 2]> {
        let (gap, size) = (self.openness()?, Proportions::of(&self.head_points));
        Some([0, 1].map(|eye| ratio(gap.eyes[eye], size.eye_width[eye])))
    }

    /// How far the mouth is open: the gap between the inner lips at their middle over the distance of the mouth's
    /// corners, both in the head's frame. 0 for a closed mouth, around 1 for a wide open one.
    pub fn lip_openness(&self) -> Option<f32> {
        Some(ratio(self.openness()?.mouth, Proportions::of(&self.head_points).mouth_width))
    }
}

fn ratio(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Left, top, right and bottom of points.
pub(crate) fn bounds(points: &[[f32; 3]]) -> [f32; 4] {
    let empty = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
    points.iter().fold(empty, |[l, t, r, b], [x, y, _]| [l.min(*x), t.min(*y), r.max(*x), b.max(*y)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic;

    #[test]
    fn the_matrix_falls_apart_into_rotation_scale_and_translation() {
        let (_, face) = synthetic::portrait(64, 64, 1).unwrap();
        let matrix = [[0.0, -2.0, 0.0, 1.0], [2.0, 0.0, 0.0, 2.0], [0.0, 0.0, 2.0, -50.0], [0.0, 0.0, 0.0, 1.0]];
        let face = Face { matrix, ..face };
        assert_eq!(face.scale(), 2.0);
        assert_eq!(face.rotation(), [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(face.translation(), [1.0, 2.0, -50.0]);
        assert!((face.angles().roll - 90.0).abs() < 1e-4);
    }

    #[test]
    fn openness_is_a_share_of_the_width_and_does_not_depend_on_the_size_of_the_head() {
        let (_, mut face) = synthetic::portrait(64, 64, 1).unwrap();
        let (eyes, lips) = (face.eye_openness().unwrap(), face.lip_openness().unwrap());
        assert!(eyes.iter().all(|eye| (0.2..0.5).contains(eye)), "{eyes:?}");
        face.head_points.iter_mut().flatten().for_each(|v| *v *= 1.5);
        let (larger, wider) = (face.eye_openness().unwrap(), face.lip_openness().unwrap());
        assert!((0..2).all(|i| (larger[i] - eyes[i]).abs() < 1e-5) && (wider - lips).abs() < 1e-5);
        assert!((face.openness().unwrap().eyes[0] / eyes[0]) > 1.0, "centimetres, not shares");
        face.head_points.pop();
        assert!(face.openness().is_none() && face.eye_openness().is_none() && face.lip_openness().is_none());
    }
}
