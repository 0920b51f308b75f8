//! Does the result move as the driver does, at the same time?
//!
//! Everything here compares frame `i` of the result with frame `i` of the driver, and has a value where both show a face. (The
//! released scripts compare with the nearest frame of all: see [`compat`](crate::compat).)

use nalgebra::Matrix3;
use skyreels_landmarks::HeadAngles;

use super::observation::FaceObservation;
use super::scores::FrameScores;
use crate::{Error, Result};

/// The first of MediaPipe's scores is a constant; the other 51 are expressions.
const FIRST_EXPRESSION: usize = 1;
const HALF_TURN: f64 = 180.0;

/// What a motion is measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The camera: for re-enactment of oneself, where the result has to be the driver.
    Camera,
    /// Each clip's own face in the first frame that shows both: for re-enactment across people, where the portrait brings
    /// its own pose and the driver only the change.
    FirstFrame,
}

type Faces = [Option<FaceObservation>];

/// Mean absolute difference of the 51 expression scores of each frame, 0 to 1: the paper's expression distance as its text has it.
///
/// # Errors
/// [`Error::Mismatch`] for clips of different lengths; [`Error::Empty`] when no frame shows both faces.
pub fn blendshape_l1(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("blendshape L1", result, driving, |a, b| {
        let pairs = a.blendshapes.iter().zip(&b.blendshapes).skip(FIRST_EXPRESSION);
        mean(pairs.map(|(a, b)| f64::from((a - b).abs())))
    })
}

/// Angle of the rotation that is left between the heads of each frame, in degrees, 0 to 180: the geodesic distance.
///
/// # Errors
/// As [`blendshape_l1`].
pub fn head_rotation_error(result: &Faces, driving: &Faces, anchor: Anchor) -> Result<FrameScores> {
    let rest = anchored(result, driving, anchor).map(|faces| faces.map(|face| matrix(face.rotation)));
    compare("head rotation", result, driving, |a, b| {
        let (mut a, mut b) = (matrix(a.rotation), matrix(b.rotation));
        if let Some([first_a, first_b]) = rest {
            // What turned the head from its first pose, seen from the camera.
            (a, b) = (a * first_a.transpose(), b * first_b.transpose());
        }
        geodesic(&a, &b)
    })
}

/// The angle of `a b^T`; by the sine near 0 and 180 degrees, where the cosine has no digits left.
fn geodesic(a: &Matrix3<f64>, b: &Matrix3<f64>) -> f64 {
    let left = a * b.transpose();
    let axis = [left[(2, 1)] - left[(1, 2)], left[(0, 2)] - left[(2, 0)], left[(1, 0)] - left[(0, 1)]];
    let sine = axis.iter().map(|v| v * v).sum::<f64>().sqrt() / 2.0;
    sine.atan2((left.trace() - 1.0) / 2.0).to_degrees()
}

/// Mean absolute difference of yaw, pitch and roll, in degrees: the paper's pose distance as its text has it.
///
/// Angles are not a distance of rotations (near a pitch of 90 degrees yaw and roll mean nothing): trust
/// [`head_rotation_error`].
///
/// # Errors
/// As [`blendshape_l1`].
pub fn pose_l1(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("pose L1", result, driving, |a, b| {
        let (a, b) = (HeadAngles::of(a.rotation), HeadAngles::of(b.rotation));
        let turn = |a: f32, b: f32| {
            let difference = f64::from(a - b).abs().rem_euclid(2.0 * HALF_TURN);
            difference.min(2.0 * HALF_TURN - difference)
        };
        mean([turn(a.yaw, b.yaw), turn(a.pitch, b.pitch), turn(a.roll, b.roll)].into_iter())
    })
}

/// Mean distance of the 478 points in the picture over the driver's distance of the eyes' outer corners, for re-enactment of oneself:
/// both clips must have the same size, and the result has to be the driver.
///
/// # Errors
/// As [`blendshape_l1`]; [`Error::NotFinite`] where the eyes of the driver coincide.
pub fn landmark_distance(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("landmark distance", result, driving, |a, b| {
        let pairs = a.points.iter().zip(&b.points);
        mean(pairs.map(|(a, b)| f64::from(a[0] - b[0]).hypot(f64::from(a[1] - b[1])))) / b.eye_distance()
    })
}

/// Mean distance, in centimetres of the canonical head, of what the 478 points have moved since each clip's own first common frame:
/// pose and identity left aside, for re-enactment across people.
///
/// # Errors
/// As [`blendshape_l1`].
pub fn expression_distance(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    let rest = anchored(result, driving, Anchor::FirstFrame);
    compare("expression distance", result, driving, |a, b| {
        let Some([first_a, first_b]) = rest else { return f64::NAN };
        let moved = |face: &FaceObservation, first: &FaceObservation, i: usize, axis: usize| {
            f64::from(face.head_points[i][axis] - first.head_points[i][axis])
        };
        mean((0..a.head_points.len()).map(|i| {
            let squares = (0..3).map(|axis| (moved(a, first_a, i, axis) - moved(b, first_b, i, axis)).powi(2));
            squares.sum::<f64>().sqrt()
        }))
    })
}

/// Mean distance of the places of the irises in their eyes, in half eye widths.
///
/// # Errors
/// As [`blendshape_l1`].
pub fn gaze_error(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("gaze", result, driving, |a, b| {
        let eyes = a.gaze.iter().zip(&b.gaze);
        mean(eyes.map(|(a, b)| f64::from(a[0] - b[0]).hypot(f64::from(a[1] - b[1]))))
    })
}

/// Mean absolute difference of how far the eyes are open, in eye widths.
///
/// # Errors
/// As [`blendshape_l1`].
pub fn eye_openness_error(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("eye openness", result, driving, |a, b| {
        mean(a.eye_openness.iter().zip(&b.eye_openness).map(|(a, b)| f64::from((a - b).abs())))
    })
}

/// Absolute difference of how far the lips are open, in mouth widths.
///
/// # Errors
/// As [`blendshape_l1`].
pub fn lip_openness_error(result: &Faces, driving: &Faces) -> Result<FrameScores> {
    compare("lip openness", result, driving, |a, b| f64::from((a.lip_openness - b.lip_openness).abs()))
}

/// The faces of the first frame that shows both, where a measurement starts there.
fn anchored<'a>(result: &'a Faces, driving: &'a Faces, anchor: Anchor) -> Option<[&'a FaceObservation; 2]> {
    let mut pairs = result.iter().zip(driving);
    let first = pairs.find_map(|(a, b)| Some([a.as_ref()?, b.as_ref()?]));
    first.filter(|_| anchor == Anchor::FirstFrame)
}

fn compare(
    what: &str,
    result: &Faces,
    driving: &Faces,
    measure: impl Fn(&FaceObservation, &FaceObservation) -> f64,
) -> Result<FrameScores> {
    if result.len() != driving.len() {
        let frames = |count: usize| format!("{count} frames");
        return Err(Error::mismatch(what, frames(result.len()), frames(driving.len())));
    }
    let both = |(a, b): (&Option<FaceObservation>, &Option<FaceObservation>)| Some(measure(a.as_ref()?, b.as_ref()?));
    FrameScores::new(what, result.iter().zip(driving).map(both).collect())
}

fn matrix(rows: [[f32; 3]; 3]) -> Matrix3<f64> {
    Matrix3::from_fn(|row, column| f64::from(rows[row][column]))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}
