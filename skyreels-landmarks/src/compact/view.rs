//! The square part of a frame that the network sees.

use skyreels_core::Frame;
use skyreels_core::resize::{Filter, resize_pillow};

use crate::mediapipe::bounds;
use crate::{Error, Result};

/// Side of a close view relative to the larger side of the landmarks' box.
const CLOSE: f32 = 1.5;

/// A square of a frame, in pixels; it may reach outside, where it is black.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SquareView {
    /// Column of its left edge.
    pub left: i64,
    /// Row of its upper edge.
    pub top: i64,
    /// Pixels of a side, at least 1.
    pub side: u32,
}

impl SquareView {
    /// The smallest square that holds a whole frame of `size` = width, height, which lies in its middle.
    pub fn whole([width, height]: [u32; 2]) -> Self {
        let side = width.max(height).max(1);
        let before = |extent: u32| -i64::from((side - extent) / 2);
        Self { left: before(width), top: before(height), side }
    }

    /// The square around landmarks relative to a frame of `size` = width, height, with some room; `None` if they are not
    /// finite or span nothing.
    pub fn around(landmarks: &[[f32; 3]], [width, height]: [u32; 2]) -> Option<Self> {
        let [left, top, right, bottom] = bounds(landmarks);
        let (width, height) = (width as f32, height as f32);
        let face = ((right - left) * width).max((bottom - top) * height);
        let (x, y) = ((left + right) / 2.0 * width, (top + bottom) / 2.0 * height);
        // A point far outside would need a square that no memory holds.
        let sound = face >= 1.0 && face < 4.0 * width.max(height) && x.abs() < 1e6 && y.abs() < 1e6;
        if !sound {
            return None;
        }
        let side = (face * CLOSE).round().max(1.0);
        Some(Self { left: (x - side / 2.0).round() as i64, top: (y - side / 2.0).round() as i64, side: side as u32 })
    }

    /// The square that is `factor` times as wide, with its middle `shift` of this one's side away.
    #[must_use]
    pub fn moved(&self, shift: [f32; 2], factor: f32) -> Self {
        let side = self.side as f32;
        let stretched = (side * factor).max(1.0);
        let place = |start: i64, shift: f32| (start as f32 + (side - stretched) / 2.0 + side * shift) as i64;
        Self { left: place(self.left, shift[0]), top: place(self.top, shift[1]), side: stretched as u32 }
    }

    /// What is seen, `side` pixels wide and high; larger pictures are averaged.
    ///
    /// # Errors
    /// [`Error::Core`] when `side` is 0.
    pub fn cut(&self, frame: &Frame, side: u32) -> Result<Frame> {
        let mut square = Frame::new(self.side, self.side);
        image::imageops::replace(&mut square, frame, -self.left, -self.top);
        resize_pillow(&square, side, side, Filter::Bilinear).map_err(Error::from)
    }

    /// A point relative to the square, as one relative to a frame of `size` = width, height; z stays on the scale of x.
    pub fn to_frame(&self, [x, y, z]: [f32; 3], [width, height]: [u32; 2]) -> [f32; 3] {
        let (width, height, side) = (width as f32, height as f32, self.side as f32);
        [(self.left as f32 + x * side) / width, (self.top as f32 + y * side) / height, z * side / width]
    }

    /// A point relative to a frame of `size` = width, height, as one relative to the square.
    pub fn to_view(&self, [x, y, z]: [f32; 3], [width, height]: [u32; 2]) -> [f32; 3] {
        let (width, height, side) = (width as f32, height as f32, self.side as f32);
        [(x * width - self.left as f32) / side, (y * height - self.top as f32) / side, z * width / side]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_view_shows_what_lies_in_it_and_black_outside() {
        let frame = Frame::from_fn(8, 4, |x, y| image::Rgb([x as u8 * 30, y as u8 * 60, 200]));
        let whole = SquareView::whole([8, 4]);
        assert_eq!(whole, SquareView { left: 0, top: -2, side: 8 });
        let seen = whole.cut(&frame, 8).unwrap();
        assert_eq!(seen.get_pixel(3, 0).0, [0; 3]);
        assert_eq!(seen.get_pixel(3, 2), frame.get_pixel(3, 0));
        let close = SquareView { left: 2, top: 1, side: 2 };
        assert_eq!(close.cut(&frame, 2).unwrap().get_pixel(1, 1), frame.get_pixel(3, 2));
        let outside = SquareView { left: 100, top: -50, side: 4 };
        assert!(outside.cut(&frame, 4).unwrap().as_raw().iter().all(|v| *v == 0));
    }

    #[test]
    fn points_that_span_nothing_or_everything_have_no_view() {
        let size = [100, 50];
        assert_eq!(SquareView::around(&[[0.5; 3]; 4], size), None);
        assert_eq!(SquareView::around(&[[f32::NAN; 3], [0.1; 3]], size), None);
        assert_eq!(SquareView::around(&[[-1e9; 3], [1e9; 3]], size), None);
        let seen = SquareView::around(&[[0.4, 0.2, 0.0], [0.6, 0.6, 0.0]], size).unwrap();
        assert_eq!(seen, SquareView { left: 35, top: 5, side: 30 });
    }

    proptest! {
        #[test]
        fn both_ways_undo_each_other(
            point in prop::array::uniform3(-1.0f32..2.0), left in -50i64..50, top in -50i64..50, side in 1u32..200,
        ) {
            let (view, size) = (SquareView { left, top, side }, [120, 80]);
            let back = view.to_view(view.to_frame(point, size), size);
            prop_assert!(back.iter().zip(point).all(|(a, b)| (a - b).abs() < 1e-3), "{back:?} {point:?}");
        }
    }
}
