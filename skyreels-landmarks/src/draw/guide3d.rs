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
    let [right, left] = pupils;
    guide3d_colored(points, [(right, RIGHT_PUPIL), (left, LEFT_PUPIL)], size, border)
}

/// [`guide3d`] with any colours of the pupils: the original's audio path has its own.
pub(crate) fn guide3d_colored(
    points: &[[f64; 2]],
    pupils: [(Option<[f64; 2]>, Color); 2],
    size: [u32; 2],
    border: Border,
) -> Result<Frame> {
    let mut canvas = contours3d(points, size)?;
    for (center, color) in pupils {
        if let Some(center) = center.filter(|center| center.iter().all(|v| v.is_finite())) {
            square(&mut canvas, center.map(|v| v as i64), 1, 3, color, border);
        }
    }
    let nose = normalised(points[NOSE_TIP], size);
    if nose.iter().all(|v| v.is_finite()) {
        let center = [0, 1].map(|axis| (f64::from(nose[axis]) * f64::from(size[axis])) as i64);
        square(&mut canvas, center, 2, 5, NOSE, border);
    }
    Ok(canvas)
}

/// The lines of the 3-D drawing alone.
pub(crate) fn contours3d(points: &[[f64; 2]], size: [u32; 2]) -> Result<Frame> {
    check(points.len())?;
    let mut canvas = Frame::new(size[0], size[1]);
    contours(&mut canvas, parts_3d(), |i| normalised(points[i], size));
    Ok(canvas)
}

/// A point relative to the canvas.
///
/// The original passes its points through 32-bit normalised coordinates, which moves some by a pixel.
fn normalised(point: [f64; 2], size: [u32; 2]) -> [f32; 2] {
    [0, 1].map(|axis| (point[axis] / f64::from(size[axis])) as f32)
}
