//! What is known about one face of one frame.

use super::blendshapes::BLENDSHAPES;

/// One face of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
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
    /// Score of the detector, 0..1.
    pub score: f32,
    /// The detector's box relative to the frame: left, top, right, bottom; may reach outside.
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

    /// Where the canonical head's origin is, seen from the camera, in centimetres.
    pub fn translation(&self) -> [f32; 3] {
        std::array::from_fn(|row| self.matrix[row][3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_falls_apart_into_rotation_scale_and_translation() {
        let matrix = [[0.0, -2.0, 0.0, 1.0], [2.0, 0.0, 0.0, 2.0], [0.0, 0.0, 2.0, -50.0], [0.0, 0.0, 0.0, 1.0]];
        let face = Face {
            landmarks: Vec::new(),
            blendshapes: [0.0; BLENDSHAPES],
            matrix,
            head_points: Vec::new(),
            presence: 1.0,
            score: 1.0,
            bbox: [0.0; 4],
        };
        assert_eq!(face.scale(), 2.0);
        assert_eq!(face.rotation(), [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(face.translation(), [1.0, 2.0, -50.0]);
    }
}
