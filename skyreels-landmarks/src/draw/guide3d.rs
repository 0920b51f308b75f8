//! The 3-D drawing: retargeted points, every frame of the guide clip but the first.
//!
//! `Renderer._generate_final_image` of the original, on points already projected to pixels.

use skyreels_core::Frame;

use super::canvas::{Border, contours, square};
use super::contours::{LEFT_PUPIL, NOSE_TIP, RIGHT_PUPIL, parts_3d};
use super::guide2d::check;
use super::line::Color;
use crate::Result;

/// Shade of the nose square.
const NOSE: Color = [255, 255, 255];

/// Draws projected points on a black canvas.
///
/// `pupils` are the centres of the right and the left pupil; `None` leaves one out.
///
/// # Shapes
/// `points`: 478 points in pixels of the canvas; the result is `size` = width, height.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when there are not 478 points.
pub fn guide3d(points: &[[f64; 2]], pupils: [Option<[f64; 2]>; 2], size: [u32; 2], border: Border) -> Result<Frame> {
    check(points.len())?;
    let mut canvas = Frame::new(size[0], size[1]);
    // The original passes the points through 32-bit normalised coordinates, which moves some by a pixel.
    let normalised = |i: usize| [0, 1].map(|axis| (points[i][axis] / f64::from(size[axis])) as f32);
    contours(&mut canvas, parts_3d(), normalised);
    for (center, color) in pupils.into_iter().zip([RIGHT_PUPIL, LEFT_PUPIL]) {
        if let Some(center) = center.filter(|center| center.iter().all(|v| v.is_finite())) {
            square(&mut canvas, center.map(|v| v as i64), 1, 3, color, border);
        }
    }
    let nose = normalised(NOSE_TIP);
    if nose.iter().all(|v| v.is_finite()) {
        let center = [0, 1].map(|axis| (f64::from(nose[axis]) * f64::from(size[axis])) as i64);
        square(&mut canvas, center, 2, 5, NOSE, border);
    }
    Ok(canvas)
}
