//! The square that SMIRK looks at: around MediaPipe's points, 1.4 times their extent.

use skyreels_core::Frame;

use crate::align::Affine;
use crate::{Error, Result};

/// Side of the crop in pixels.
pub const CROP_SIDE: u32 = 224;
/// The square is this much larger than the mean of width and height of the points.
const MARGIN: f64 = 1.4;

/// A square of a picture, aligned with its axes, and the crop that it fills; may reach outside of the picture.
///
/// `crop_face` of the original: corner pixels of the square and of the crop fall together, so that the scale is
/// `(side - 1) / size`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceSquare {
    left: f64,
    top: f64,
    size: f64,
    side: u32,
}

impl FaceSquare {
    /// The square around a face's points, given in pixels, to be seen in [`CROP_SIDE`] pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the points are not finite or span less than a pixel.
    pub fn around(points: impl IntoIterator<Item = [f64; 2]>) -> Result<Self> {
        Self::with_side(points, CROP_SIDE)
    }

    /// [`around`](Self::around) for a crop of `side` pixels.
    ///
    /// # Errors
    /// Those of [`around`](Self::around), and a side below 2.
    pub fn with_side(points: impl IntoIterator<Item = [f64; 2]>, side: u32) -> Result<Self> {
        if side < 2 {
            return Err(Error::invalid("side of the face crop", format!("{side} is not at least 2")));
        }
        let mut bounds = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
        for point in points {
            if point.iter().any(|v| !v.is_finite()) {
                return Err(Error::invalid("face points", format!("{point:?} is not finite")));
            }
            for (bound, v) in bounds.iter_mut().zip(point) {
                *bound = [bound[0].min(v), bound[1].max(v)];
            }
        }
        let [[left, right], [top, bottom]] = bounds;
        let size = ((right - left + bottom - top) / 2.0 * MARGIN).trunc();
        if !(size >= 1.0 && size.is_finite()) {
            return Err(Error::invalid("face points", "they span less than a pixel".to_owned()));
        }
        let center = [right - (right - left) / 2.0, bottom - (bottom - top) / 2.0];
        Ok(Self { left: center[0] - size / 2.0, top: center[1] - size / 2.0, size, side })
    }

    /// Crop pixels per picture pixel.
    fn scale(&self) -> f64 {
        f64::from(self.side - 1) / self.size
    }

    /// From pixels of the picture to pixels of the crop.
    pub fn to_crop(&self) -> Affine {
        let scale = self.scale();
        [[scale, 0.0, -self.left * scale], [0.0, scale, -self.top * scale]]
    }

    /// From pixels of the crop to pixels of the picture.
    pub fn to_picture(&self) -> Affine {
        let scale = 1.0 / self.scale();
        [[scale, 0.0, self.left], [0.0, scale, self.top]]
    }

    /// The pixels of the square, sampled bilinearly and cut (not rounded) to 8 bits; black outside of the picture.
    ///
    /// `skimage.transform.warp` of order 1, which also keeps every value within those of the whole picture.
    pub fn cut(&self, picture: &Frame) -> Frame {
        let sampled = self.sampled(picture, 1);
        let [least, most] = value_range(picture, &sampled);
        let mut values = sampled.into_iter().map(|v| v.clamp(least, most) as u8);
        Frame::from_fn(self.side, self.side, |_, _| image::Rgb([0; 3].map(|_: u8| values.next().unwrap_or(0))))
    }

    /// Every `step`th pixel across and down before it is cut to 8 bits, rows from the top, channels together.
    pub(crate) fn sampled(&self, picture: &Frame, step: usize) -> Vec<f64> {
        let [[scale, _, left], [_, _, top]] = self.to_picture();
        let rows = (0..self.side).step_by(step);
        let places = rows.flat_map(|y| (0..self.side).step_by(step).map(move |x| (x, y)));
        places.flat_map(|(x, y)| sample(picture, scale * f64::from(x) + left, scale * f64::from(y) + top)).collect()
    }
}

/// Bilinear sample at a place; black outside.
fn sample(picture: &Frame, x: f64, y: f64) -> [f64; 3] {
    let tap = |x: f64, y: f64| -> [f64; 3] {
        let inside = x >= 0.0 && y >= 0.0 && x < f64::from(picture.width()) && y < f64::from(picture.height());
        if inside { picture.get_pixel(x as u32, y as u32).0.map(f64::from) } else { [0.0; 3] }
    };
    let (left, right, top, bottom) = (x.floor(), x.ceil(), y.floor(), y.ceil());
    let (across, down) = (x - left, y - top);
    let corners = [tap(left, top), tap(right, top), tap(left, bottom), tap(right, bottom)];
    std::array::from_fn(|c| {
        let [a, b, d, e] = corners.map(|corner| corner[c]);
        (1.0 - down) * ((1.0 - across) * a + across * b) + down * ((1.0 - across) * d + across * e)
    })
}

/// Smallest and largest value of the picture, extended to black where the crop has black.
fn value_range(picture: &Frame, sampled: &[f64]) -> [f64; 2] {
    let bytes = picture.as_raw().iter().copied();
    let [least, most] = [bytes.clone().min(), bytes.max()].map(|v| f64::from(v.unwrap_or(0)));
    [if sampled.contains(&0.0) { 0.0 } else { least }, most]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn points_without_extent_or_number_are_refused() {
        assert!(FaceSquare::around([[3.0, 4.0]; 5]).is_err());
        assert!(FaceSquare::around([[3.0, f64::NAN], [0.0, 9.0]]).is_err());
        assert!(FaceSquare::around([]).is_err());
        assert!(FaceSquare::with_side([[0.0, 0.0], [9.0, 9.0]], 1).is_err());
    }

    #[test]
    fn a_square_far_outside_is_black() {
        let square = FaceSquare::around([[900.0, 900.0], [950.0, 960.0]]).unwrap();
        let crop = square.cut(&Frame::from_pixel(20, 10, image::Rgb([9, 8, 7])));
        assert_eq!(crop.dimensions(), (CROP_SIDE, CROP_SIDE));
        assert!(crop.as_raw().iter().all(|v| *v == 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn both_ways_undo_each_other_and_corners_fall_together(
            corner in prop::array::uniform2(-500.0f64..500.0), extent in prop::array::uniform2(5.0f64..900.0),
        ) {
            let far = [corner[0] + extent[0], corner[1] + extent[1]];
            let square = FaceSquare::around([corner, far]).unwrap();
            let ([[s, _, tx], [_, _, ty]], [[back, _, left], [_, _, top]]) = (square.to_crop(), square.to_picture());
            prop_assert!((back * (s * corner[0] + tx) + left - corner[0]).abs() < 1e-9);
            prop_assert!((back * (s * corner[1] + ty) + top - corner[1]).abs() < 1e-9);
            prop_assert!((back * f64::from(CROP_SIDE - 1) - square.size).abs() < 1e-9);
        }
    }
}
