//! Where the eyes' irises are in the frame, and where in their eyes.

use super::mesh::LANDMARKS;
use crate::draw::contours::{LEFT_IRIS, RIGHT_IRIS};
use crate::draw::eye_relative;

/// Corners of the right and the left eye, from the left of the picture to its right.
const CORNERS: [[usize; 2]; 2] = [[33, 133], [362, 263]];
/// Points on the rim of an iris, after its centre.
const RIM: usize = 4;

/// An iris in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iris {
    /// Its centre in pixels from the upper left corner of the frame.
    pub center: [f32; 2],
    /// Mean distance of the rim from the centre in pixels. An iris is about 11.7 mm wide in every adult, so that this is
    /// a measure of distance.
    pub radius: f32,
    /// Its centre along and across the line between the eye's corners, from the middle, in half eye widths: along grows to
    /// the right of the picture from -1 at one corner to 1 at the other, across grows downwards.
    pub in_eye: [f32; 2],
}

impl Iris {
    /// The right and the left iris of 478 landmarks relative to a frame of `size` pixels.
    pub(super) fn both(landmarks: &[[f32; 3]], size: [u32; 2]) -> [Option<Self>; 2] {
        let pixel = |i: usize| [landmarks[i][0] * size[0] as f32, landmarks[i][1] * size[1] as f32];
        let iris = |corners: [usize; 2], center: usize| {
            if landmarks.len() != LANDMARKS {
                return None;
            }
            let middle = pixel(center);
            let rim = (1..=RIM).map(|i| pixel(center + i));
            let radius = rim.map(|[x, y]| (x - middle[0]).hypot(y - middle[1])).sum::<f32>() / RIM as f32;
            let place = eye_relative(corners.map(|i| pixel(i).map(f64::from)), middle.map(f64::from))?;
            radius.is_finite().then_some(Self { center: middle, radius, in_eye: place.map(|v| v as f32) })
        };
        [iris(CORNERS[0], RIGHT_IRIS), iris(CORNERS[1], LEFT_IRIS)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face() -> Vec<[f32; 3]> {
        let mut points = vec![[0.0; 3]; LANDMARKS];
        points[33] = [0.1, 0.5, 0.0];
        points[133] = [0.3, 0.5, 0.0];
        points[RIGHT_IRIS] = [0.25, 0.52, 0.0];
        for (i, [x, y]) in [[0.27, 0.52], [0.25, 0.48], [0.23, 0.52], [0.25, 0.56]].into_iter().enumerate() {
            points[RIGHT_IRIS + 1 + i] = [x, y, 0.0];
        }
        points
    }

    #[test]
    fn an_iris_is_measured_in_pixels_and_in_eye_widths() {
        let [right, left] = Iris::both(&face(), [200, 100]);
        let right = right.unwrap();
        let near = |a: f32, b: f32| (a - b).abs() < 1e-4;
        assert!(near(right.center[0], 50.0) && near(right.center[1], 52.0) && near(right.radius, 4.0), "{right:?}");
        assert!(near(right.in_eye[0], 0.5) && near(right.in_eye[1], 0.1), "{right:?}");
        assert!(left.is_none(), "the corners of that eye coincide");
    }

    #[test]
    fn a_mesh_without_irises_has_none() {
        assert_eq!(Iris::both(&face()[..468], [200, 100]), [None, None]);
        let mut broken = face();
        broken[RIGHT_IRIS + 2] = [f32::NAN; 3];
        assert_eq!(Iris::both(&broken, [200, 100])[0], None);
    }
}
