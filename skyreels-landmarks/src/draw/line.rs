//! The 8-connected line of OpenCV, one pixel thick: the stroke of every guide drawing.
//!
//! The guider network was trained on these very pixels, so the walk and its clipping follow
//! `cv::line(.., thickness = 1, LINE_8)` to the bit.

use skyreels_core::Frame;

/// A colour as written into the channels, in order.
pub type Color = [u8; 3];

/// A pixel, or a point of a fixed-point grid; may lie outside the canvas.
pub(super) type Point = [i64; 2];

/// Sets one pixel; outside of the canvas nothing happens.
#[inline]
pub(super) fn put(canvas: &mut Frame, [x, y]: Point, color: Color) {
    if x >= 0 && y >= 0 && x < i64::from(canvas.width()) && y < i64::from(canvas.height()) {
        canvas.put_pixel(x as u32, y as u32, image::Rgb(color));
    }
}

/// Fills the pixels `x0..=x1` of row `y`, as far as they lie on the canvas.
pub(super) fn span(canvas: &mut Frame, x0: i64, x1: i64, y: i64, color: Color) {
    for x in x0.max(0)..=x1.min(i64::from(canvas.width()) - 1) {
        put(canvas, [x, y], color);
    }
}

/// Draws the line from `from` to `to`, both ends included.
///
/// The ends may lie anywhere; the part outside of the canvas is cut off first, with the rounding
/// toward zero of the original, so that the visible part is the one OpenCV draws. The direction does not
/// matter: the walk always goes from left to right.
pub fn line(canvas: &mut Frame, from: [i32; 2], to: [i32; 2], color: Color) {
    let size = [i64::from(canvas.width()), i64::from(canvas.height())];
    if let Some([from, to]) = clip(size, from.map(i64::from), to.map(i64::from)) {
        walk(from, to, |point| put(canvas, point, color));
    }
}

/// Visits the pixels of an 8-connected line in Bresenham's order, from left to right.
fn walk(from: Point, to: Point, mut visit: impl FnMut(Point)) {
    let ([x, y], [end_x, end_y]) = if to[0] < from[0] { (to, from) } else { (from, to) };
    let (dx, dy) = (end_x - x, (end_y - y).abs());
    let down = (end_y - y).signum();
    // `major` advances at every step, `minor` whenever the error falls below zero.
    let (long, short, major, minor) = if dy > dx { (dy, dx, [0, down], [1, 0]) } else { (dx, dy, [1, 0], [0, down]) };
    let mut error = long - 2 * short;
    let mut point = [x, y];
    for _ in 0..=long {
        visit(point);
        let bend = i64::from(error < 0);
        error += 2 * (bend * long - short);
        point = [point[0] + major[0] + bend * minor[0], point[1] + major[1] + bend * minor[1]];
    }
}

/// Cuts a segment to the rectangle `[0, size)`; `None` when nothing of it lies inside.
///
/// Rows are cut before columns, and each cut uses the end that the other one may already have moved:
/// both show in the pixels.
pub(super) fn clip(size: Point, mut from: Point, mut to: Point) -> Option<[Point; 2]> {
    let last = [size[0] - 1, size[1] - 1];
    if last[0] < 0 || last[1] < 0 {
        return None;
    }
    // -1 before the range, 1 after it, 0 inside.
    let side = |p: Point, axis: usize| i64::from(p[axis] > last[axis]) - i64::from(p[axis] < 0);
    let beside = |a: Point, b: Point| (0..2).any(|axis| side(a, axis) != 0 && side(a, axis) == side(b, axis));
    for axis in [1, 0] {
        if beside(from, to) {
            return None;
        }
        let other = 1 - axis;
        for end in 0..2 {
            let slope = [to[0] - from[0], to[1] - from[1]];
            let moved = if end == 0 { &mut from } else { &mut to };
            let border = match side(*moved, axis) {
                0 => continue,
                -1 => 0,
                _ => last[axis],
            };
            let offset = (border - moved[axis]) as f64 * slope[other] as f64 / slope[axis] as f64;
            moved[other] += offset as i64;
            moved[axis] = border;
        }
    }
    let inside = |p| (0..2).all(|axis| side(p, axis) == 0);
    (inside(from) && inside(to)).then_some([from, to])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INK: Color = [9, 8, 7];

    fn drawn(width: u32, height: u32, from: [i32; 2], to: [i32; 2]) -> Vec<[u32; 2]> {
        let mut canvas = Frame::new(width, height);
        line(&mut canvas, from, to, INK);
        canvas.enumerate_pixels().filter(|(_, _, pixel)| pixel.0 == INK).map(|(x, y, _)| [x, y]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn direction_does_not_change_a_line_inside(
            a in prop::array::uniform2(0i32..40), b in prop::array::uniform2(0i32..40),
        ) {
            prop_assert_eq!(drawn(40, 40, a, b), drawn(40, 40, b, a));
        }

        #[test]
        fn a_line_inside_has_one_pixel_per_step_of_its_longer_side(
            a in prop::array::uniform2(0i32..40), b in prop::array::uniform2(0i32..40),
        ) {
            let length = (a[0] - b[0]).abs().max((a[1] - b[1]).abs()) as usize + 1;
            let pixels = drawn(40, 40, a, b);
            prop_assert_eq!(pixels.len(), length);
            for end in [a, b] {
                prop_assert!(pixels.contains(&end.map(|v| v as u32)));
            }
        }

        #[test]
        fn ends_anywhere_never_panic(
            a in prop::array::uniform2(any::<i32>()), b in prop::array::uniform2(any::<i32>()), width in 0..9u32,
        ) {
            drawn(width, 7, a, b);
        }
    }
}
