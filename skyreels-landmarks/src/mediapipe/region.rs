//! From a detection, or from the last frame's landmarks, to the crop that the landmark network sees.
//!
//! `DetectionsToRectsCalculator` and `RectTransformationCalculator` of MediaPipe 0.10 with the face landmarker's
//! options: the box grows in both directions alike and is turned until the eyes are level. Around landmarks it is made
//! square, around a detection it is not.

use std::f64::consts::PI;

use super::detector::Detection;
use super::face::bounds;
use super::warp::Region;

/// How much larger than the box of the face the crop is.
const CROP_SCALE: f32 = 1.5;
/// Keypoints of a detection between which the face's horizontal runs.
const EYES: [usize; 2] = [0, 1];
/// Landmarks between which it runs: the outer corners of the right and the left eye.
const EYE_CORNERS: [usize; 2] = [33, 263];

/// The crop of a detected face in a frame of the given size.
pub(crate) fn face_region(detection: &Detection, [width, height]: [f32; 2]) -> Region {
    let size = detection.size;
    let center = [detection.min[0] + size[0] / 2.0, detection.min[1] + size[1] / 2.0];
    Region {
        center: [center[0] * width, center[1] * height],
        size: [size[0] * CROP_SCALE * width, size[1] * CROP_SCALE * height],
        rotation: tilt(EYES.map(|eye| detection.keypoints[eye]).map(|[x, y]| [x * width, y * height])),
    }
}

/// The crop for the frame after the one in which a face had these 478 landmarks.
///
/// Every step is rounded as MediaPipe rounds it, whose rectangles are relative to the frame: what is lost here comes back
/// with the next frame's landmarks.
pub(crate) fn next_region(landmarks: &[[f32; 3]], [width, height]: [f32; 2]) -> Region {
    let [left, top, right, bottom] = bounds(landmarks);
    let size = [right - left, bottom - top];
    let center = [left + size[0] / 2.0, top + size[1] / 2.0];
    let side = (size[0] * width).max(size[1] * height);
    Region {
        center: [center[0] * width, center[1] * height],
        size: [side / width * CROP_SCALE * width, side / height * CROP_SCALE * height],
        rotation: tilt(EYE_CORNERS.map(|i| [landmarks[i][0] * width, landmarks[i][1] * height])),
    }
}

/// Intersection over union of two crops, their rotations left aside (`AssociationNormRectCalculator`).
pub(crate) fn overlap(a: &Region, b: &Region) -> f32 {
    let edge = |r: &Region, d: usize, side: f32| r.center[d] + side * r.size[d] / 2.0;
    let shared = |d: usize| (edge(a, d, 1.0).min(edge(b, d, 1.0)) - edge(a, d, -1.0).max(edge(b, d, -1.0))).max(0.0);
    let area = |r: &Region| r.size[0] * r.size[1];
    let intersection = shared(0) * shared(1);
    let union = area(a) + area(b) - intersection;
    if union > 0.0 { intersection / union } else { 0.0 }
}

/// Clockwise rotation of the line through the eyes.
fn tilt([[x0, y0], [x1, y1]]: [[f32; 2]; 2]) -> f32 {
    normalized(-(-(y1 - y0)).atan2(x1 - x0))
}

/// An angle in -pi..pi.
fn normalized(angle: f32) -> f32 {
    let angle = f64::from(angle);
    (angle - 2.0 * PI * ((angle + PI) / (2.0 * PI)).floor()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_eyes_need_no_rotation_and_the_crop_is_half_as_large_again() {
        let mut face = Detection { score: 1.0, min: [0.4, 0.2], size: [0.2, 0.6], keypoints: [[0.45, 0.4]; 6] };
        face.keypoints[1] = [0.55, 0.4];
        let region = face_region(&face, [200.0, 100.0]);
        assert_eq!(region.rotation, 0.0);
        assert!((region.size[0] - 60.0).abs() < 1e-3 && (region.size[1] - 90.0).abs() < 1e-3);
        assert!((region.center[0] - 100.0).abs() < 1e-3 && (region.center[1] - 50.0).abs() < 1e-3);
    }

    #[test]
    fn the_crop_around_landmarks_is_square_and_follows_the_eyes() {
        let mut points = vec![[0.5, 0.5, 0.0]; 478];
        (points[0], points[1]) = ([0.4, 0.2, 0.0], [0.6, 0.8, 0.0]);
        (points[33], points[263]) = ([0.45, 0.4, 0.0], [0.55, 0.6, 0.0]);
        let region = next_region(&points, [200.0, 100.0]);
        assert!((region.size[0] - 90.0).abs() < 1e-3 && (region.size[1] - 90.0).abs() < 1e-3, "{region:?}");
        assert!((region.center[0] - 100.0).abs() < 1e-3 && (region.center[1] - 50.0).abs() < 1e-3, "{region:?}");
        assert!((region.rotation - std::f32::consts::FRAC_PI_4).abs() < 1e-6, "{region:?}");
    }

    #[test]
    fn overlap_is_the_shared_part_of_both() {
        let square = |x: f32| Region { center: [x, 0.0], size: [2.0, 2.0], rotation: 0.3 };
        assert_eq!(overlap(&square(0.0), &square(0.0)), 1.0);
        assert!((overlap(&square(0.0), &square(1.0)) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(overlap(&square(0.0), &square(5.0)), 0.0);
    }

    #[test]
    fn a_head_tilted_clockwise_turns_the_crop_clockwise() {
        let mut face = Detection { score: 1.0, min: [0.4; 2], size: [0.2; 2], keypoints: [[0.5; 2]; 6] };
        face.keypoints[1] = [0.6, 0.6];
        assert!((face_region(&face, [100.0; 2]).rotation - std::f32::consts::FRAC_PI_4).abs() < 1e-6);
    }
}
