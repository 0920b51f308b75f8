//! From a detection to the crop that the landmark network sees.
//!
//! `DetectionsToRectsCalculator` and `RectTransformationCalculator` of MediaPipe 0.10 with the face landmarker's
//! options: the box grows in both directions alike and is turned until the eyes are level. It is not made square.

use std::f64::consts::PI;

use super::detector::Detection;
use super::warp::Region;

/// How much larger than the detected box the crop is.
const CROP_SCALE: f32 = 1.5;
/// Keypoints between which the face's horizontal runs.
const EYES: [usize; 2] = [0, 1];

/// The crop of a detected face in a frame of the given size.
pub(crate) fn face_region(detection: &Detection, [width, height]: [f32; 2]) -> Region {
    let size = [detection.max[0] - detection.min[0], detection.max[1] - detection.min[1]];
    let center = [detection.min[0] + size[0] / 2.0, detection.min[1] + size[1] / 2.0];
    let [[x0, y0], [x1, y1]] = EYES.map(|eye| {
        let [x, y] = detection.keypoints[eye];
        [x * width, y * height]
    });
    Region {
        center: [center[0] * width, center[1] * height],
        size: [size[0] * CROP_SCALE * width, size[1] * CROP_SCALE * height],
        rotation: normalized(-(-(y1 - y0)).atan2(x1 - x0)),
    }
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
        let mut face = Detection { score: 1.0, min: [0.4, 0.2], max: [0.6, 0.8], keypoints: [[0.45, 0.4]; 6] };
        face.keypoints[1] = [0.55, 0.4];
        let region = face_region(&face, [200.0, 100.0]);
        assert_eq!(region.rotation, 0.0);
        assert!((region.size[0] - 60.0).abs() < 1e-3 && (region.size[1] - 90.0).abs() < 1e-3);
        assert!((region.center[0] - 100.0).abs() < 1e-3 && (region.center[1] - 50.0).abs() < 1e-3);
    }

    #[test]
    fn a_head_tilted_clockwise_turns_the_crop_clockwise() {
        let mut face = Detection { score: 1.0, min: [0.4; 2], max: [0.6; 2], keypoints: [[0.5; 2]; 6] };
        face.keypoints[1] = [0.6, 0.6];
        assert!((face_region(&face, [100.0; 2]).rotation - std::f32::consts::FRAC_PI_4).abs() < 1e-6);
    }
}
