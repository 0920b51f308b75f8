//! Filled polygons, and the mask of a face.

use skyreels_core::Frame;

use super::guide2d::check;
use super::line::{Color, line, span};
use crate::Result;

/// Fraction bits of the x positions at which rows cross edges.
const SHIFT: u32 = 16;

/// Fills a polygon, outline included, with the pixels that OpenCV's `fillPoly` takes; where it crosses itself, holes appear.
pub fn fill_polygon(canvas: &mut Frame, corners: &[[i32; 2]], color: Color) {
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    for (from, to) in edges() {
        line(canvas, *from, *to, color);
    }
    for y in 0..i64::from(canvas.height()) {
        let mut crossings: Vec<i64> = edges().filter_map(|(from, to)| crossing(*from, *to, y)).collect();
        crossings.sort_unstable();
        for [left, right] in crossings.as_chunks::<2>().0 {
            span(canvas, (left + (1 << SHIFT) - 1) >> SHIFT, right >> SHIFT, y, color);
        }
    }
}

/// Fixed-point x at which a row crosses an edge; an edge owns its upper end, not its lower one.
fn crossing(from: [i32; 2], to: [i32; 2], y: i64) -> Option<i64> {
    let (upper, lower) = if from[1] < to[1] { (from, to) } else { (to, from) };
    let [x0, y0, x1, y1] = [upper[0], upper[1], lower[0], lower[1]].map(i64::from);
    let slope = || ((x1 - x0) << SHIFT) / (y1 - y0);
    (y0 <= y && y < y1).then(|| (x0 << SHIFT) + slope() * (y - y0))
}

/// Points of the face oval without the forehead.
const BELOW_FOREHEAD: [usize; 26] = [
    21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323,
    454, 356, 389,
];

/// White where the face is, from the temples down; black elsewhere.
///
/// # Shapes
/// `landmarks`: 478 points in pixels; the result is `size` = width, height.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when there are not 478 points.
pub fn face_mask(landmarks: &[[f32; 2]], size: [u32; 2]) -> Result<Frame> {
    check(landmarks.len())?;
    let mut canvas = Frame::new(size[0], size[1]);
    fill_polygon(&mut canvas, &BELOW_FOREHEAD.map(|i| landmarks[i].map(|v| v as i32)), [255; 3]);
    Ok(canvas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_is_filled_up_to_its_outline() {
        let mut canvas = Frame::new(9, 9);
        fill_polygon(&mut canvas, &[[2, 1], [6, 1], [6, 4], [2, 4]], [1; 3]);
        assert_eq!(canvas.pixels().filter(|pixel| pixel.0 == [1; 3]).count(), 5 * 4);
    }

    #[test]
    fn corners_far_outside_never_panic() {
        let mut canvas = Frame::new(5, 5);
        fill_polygon(&mut canvas, &[[i32::MIN, -7], [i32::MAX, -7], [3, i32::MAX]], [1; 3]);
        fill_polygon(&mut canvas, &[], [1; 3]);
    }
}
