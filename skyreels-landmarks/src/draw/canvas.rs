//! What both drawings share: which points may be drawn, where they fall, and their squares.

use skyreels_core::Frame;

use super::contours::Part;
use super::line::{Color, line};

/// What happens to the pupil and nose squares at the border of the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Border {
    /// The part that lies on the canvas is drawn.
    #[default]
    Clip,
    /// As the original does it: a start left of or above the canvas counts from the far side, so
    /// that the square vanishes or, when its end does so too, appears over there.
    Original,
}

impl Border {
    /// Indices of `start..end` on an axis of `size` pixels.
    fn range(self, start: i64, end: i64, size: u32) -> std::ops::Range<u32> {
        let size = i64::from(size);
        let place = |v: i64| match self {
            Self::Original if v < 0 => (v + size).max(0),
            _ => v.clamp(0, size),
        };
        place(start).min(size) as u32..place(end).min(size) as u32
    }
}

/// Draws the square that begins `before` pixels before `center` and ends `after` pixels behind its start.
pub(super) fn square(canvas: &mut Frame, center: [i64; 2], before: i64, side: i64, color: Color, border: Border) {
    let (width, height) = canvas.dimensions();
    let start = center.map(|v| v.saturating_sub(before));
    for y in border.range(start[1], start[1].saturating_add(side), height) {
        for x in border.range(start[0], start[0].saturating_add(side), width) {
            canvas.put_pixel(x, y, image::Rgb(color));
        }
    }
}

/// Pixel of a normalised point; `None` outside of the canvas.
///
/// As MediaPipe's drawing helper: both borders count as inside, and the far one falls on the last pixel.
/// NaN is outside.
pub(super) fn pixel(point: [f32; 2], size: [u32; 2]) -> Option<[i32; 2]> {
    let place = |v: f32, size: u32| {
        let inside = (0.0..=1.0).contains(&v) && size > 0;
        inside.then(|| ((f64::from(v) * f64::from(size)).floor() as i64).min(i64::from(size) - 1) as i32)
    };
    Some([place(point[0], size[0])?, place(point[1], size[1])?])
}

/// Draws the edges of `parts` whose two ends lie on the canvas; `point` gives a normalised point by mesh index.
pub(super) fn contours(canvas: &mut Frame, parts: impl Iterator<Item = Part>, point: impl Fn(usize) -> [f32; 2]) {
    let size = canvas.dimensions().into();
    for part in parts {
        for [from, to] in part.edges() {
            if let (Some(from), Some(to)) = (pixel(point(from), size), pixel(point(to), size)) {
                line(canvas, from, to, part.color);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inked(center: [i64; 2], border: Border) -> usize {
        let mut canvas = Frame::new(8, 8);
        square(&mut canvas, center, 1, 3, [1, 2, 3], border);
        canvas.pixels().filter(|pixel| pixel.0 == [1, 2, 3]).count()
    }

    #[test]
    fn squares_at_the_border_are_clipped_or_vanish_as_asked() {
        assert_eq!(inked([4, 4], Border::Clip), 9);
        assert_eq!(inked([4, 4], Border::Original), 9);
        assert_eq!(inked([0, 4], Border::Clip), 6);
        assert_eq!(inked([0, 4], Border::Original), 0);
        assert_eq!(inked([7, 7], Border::Clip), 4);
        assert_eq!(inked([7, 7], Border::Original), 4);
        assert_eq!(inked([-50, 4], Border::Clip), 0);
        assert_eq!(inked([i64::MIN, i64::MAX], Border::Clip), 0);
    }

    #[test]
    fn the_far_border_belongs_to_the_last_pixel_and_nan_to_none() {
        assert_eq!(pixel([1.0, 0.0], [10, 20]), Some([9, 0]));
        assert_eq!(pixel([1.000_001, 0.5], [10, 20]), None);
        assert_eq!(pixel([f32::NAN, 0.5], [10, 20]), None);
    }
}
