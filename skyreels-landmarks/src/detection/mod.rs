//! What a face detector finds, and how overlapping finds become one face.

mod nms;
mod pyramid;

pub use nms::{Areas, non_maximum_suppression, weighted_non_maximum_suppression};
pub(crate) use pyramid::enlarged;

use skyreels_core::Frame;

use crate::{FaceBox, Result};

/// A face as a detector sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Its box in pixels.
    pub bbox: FaceBox,
    /// How sure the detector is, 0..1.
    pub score: f32,
    /// Eyes, nose tip and mouth corners in pixels, in the order right eye, left eye, nose, right mouth corner, left mouth
    /// corner (of the person).
    pub points: [[f32; 2]; 5],
}

impl Detection {
    /// The middle of its box.
    pub fn center(&self) -> [f32; 2] {
        let FaceBox { left, top, right, bottom } = self.bbox;
        [(left + right) / 2.0, (top + bottom) / 2.0]
    }

    /// Pixels that its box covers.
    pub fn area(&self) -> f32 {
        (self.bbox.right - self.bbox.left) * (self.bbox.bottom - self.bbox.top)
    }

    /// The five points in double precision.
    pub fn five_points(&self) -> [[f64; 2]; 5] {
        self.points.map(|point| point.map(f64::from))
    }
}

/// Finds faces in pictures.
pub trait FaceDetector {
    /// Faces of a picture, best first.
    ///
    /// # Errors
    /// When the device fails.
    fn detect(&self, picture: &Frame) -> Result<Vec<Detection>>;
}

/// The face whose centre is nearest to that of a picture of `size` = width, height: the one that the original aligns.
pub fn most_central(faces: &[Detection], size: [u32; 2]) -> Option<&Detection> {
    let middle = size.map(|v| v as f32 / 2.0);
    let distance = |face: &Detection| {
        let [x, y] = face.center();
        (x - middle[0]).hypot(y - middle[1])
    };
    faces.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_central_face_is_the_nearest_to_the_middle() {
        let at = |x: f32, score: f32| Detection {
            bbox: FaceBox { left: x, top: 10.0, right: x + 10.0, bottom: 20.0 },
            score,
            points: [[0.0; 2]; 5],
        };
        let faces = [at(80.0, 0.9), at(40.0, 0.5), at(0.0, 0.8)];
        assert_eq!(most_central(&faces, [90, 30]), Some(&faces[1]));
        assert_eq!(most_central(&[], [90, 30]), None);
    }
}
