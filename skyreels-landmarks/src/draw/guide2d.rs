//! The 2-D drawing: the portrait's own landmarks, first frame of the guide clip.
//!
//! `FaceMeshVisualizer2d.draw_landmarks_v3` of the original, without oval and irises. Its squares differ
//! a little from those of the [3-D drawing](super::guide3d); the networks were trained with both.

use skyreels_core::Frame;

use super::canvas::{Border, contours, square};
use super::contours::{LEFT_IRIS, LEFT_PUPIL, NOSE_TIP, RIGHT_IRIS, RIGHT_PUPIL, parts_2d};
use super::line::Color;
use crate::{Error, LANDMARKS, Result};

/// Shade of the nose square.
const NOSE: Color = [200, 200, 200];

/// Draws normalised landmarks on a black canvas: the first frame of the guide clip.
///
/// # Shapes
/// `landmarks`: 478 points, x and y in `[0, 1]` over the canvas; the result is `size` = width, height.
///
/// # Errors
/// [`Error::Invalid`] when there are not 478 points.
pub fn guide2d(landmarks: &[[f32; 2]], size: [u32; 2], border: Border) -> Result<Frame> {
    draw(landmarks, size, border, false)
}

/// As [`guide2d`], with the oval of the face and the irises: every part the original can draw.
///
/// # Errors
/// [`Error::Invalid`] when there are not 478 points.
pub fn whole_face2d(landmarks: &[[f32; 2]], size: [u32; 2], border: Border) -> Result<Frame> {
    draw(landmarks, size, border, true)
}

fn draw(landmarks: &[[f32; 2]], size: [u32; 2], border: Border, whole: bool) -> Result<Frame> {
    check(landmarks.len())?;
    let mut canvas = Frame::new(size[0], size[1]);
    contours(&mut canvas, parts_2d(whole), |i| landmarks[i]);
    landmark_square(&mut canvas, landmarks[RIGHT_IRIS], 1, RIGHT_PUPIL, border);
    landmark_square(&mut canvas, landmarks[LEFT_IRIS], 1, LEFT_PUPIL, border);
    landmark_square(&mut canvas, landmarks[NOSE_TIP], 2, NOSE, border);
    Ok(canvas)
}

/// Fails unless there is one point per mesh index.
pub(super) fn check(points: usize) -> Result<()> {
    if points == LANDMARKS {
        return Ok(());
    }
    Err(Error::invalid("landmarks", format!("{points} points, but the face mesh has {LANDMARKS}")))
}

/// The square of side `2 * half` just before and at a landmark; none for a landmark off the canvas.
pub(super) fn landmark_square(canvas: &mut Frame, point: [f32; 2], half: i64, color: Color, border: Border) {
    if point.iter().all(|v| (0.0..1.0).contains(v)) {
        let (width, height) = canvas.dimensions();
        let center = [(point[0], width), (point[1], height)].map(|(v, size)| (f64::from(v) * f64::from(size)) as i64);
        square(canvas, center, half, 2 * half, color, border);
    }
}
