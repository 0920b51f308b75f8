//! A picture in the upper left corner of the network's input.

use skyreels_core::Frame;
use skyreels_core::resize::{Interpolation, resize_opencv};

use crate::{Error, Result};

/// The value that becomes zero, and the one that becomes nearly one.
const MEAN: f32 = 127.5;
const SCALE: f32 = 128.0;

/// How a picture lies in an input of fixed size: as large as fits, at the upper left, black elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letterbox {
    /// Width and height of the input.
    pub input: [u32; 2],
    /// Width and height of the picture in it.
    pub resized: [u32; 2],
    /// Pixels of the input per pixel of the picture (by their heights).
    pub scale: f64,
}

impl Letterbox {
    /// Fits a picture of `size` = width, height; the shorter side is cut to whole pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] when either has no pixels, or the picture is so long that nothing of its other side is left.
    pub fn fit(size: [u32; 2], input: [u32; 2]) -> Result<Self> {
        let [width, height] = size.map(f64::from);
        if size.contains(&0) || input.contains(&0) {
            return Err(Error::invalid("picture", format!("{size:?} pixels in an input of {input:?}")));
        }
        let [input_width, input_height] = input.map(f64::from);
        let ratio = height / width;
        let resized = if ratio > input_height / input_width {
            [(input_height / ratio) as u32, input[1]]
        } else {
            [input[0], (input_width * ratio) as u32]
        };
        if resized.contains(&0) {
            let reason = format!("{size:?} pixels leave nothing in an input of {input:?}; crop it first");
            return Err(Error::invalid("picture", reason));
        }
        Ok(Self { input, resized, scale: f64::from(resized[1]) / height })
    }

    /// The input as planes red, green, blue: `(v - 127.5) / 128`, the black border too.
    ///
    /// # Shapes
    /// `[3, height, width]` of the input, row-major.
    ///
    /// # Errors
    /// Those of resizing, which [`fit`](Self::fit) excludes.
    pub fn blob(&self, picture: &Frame) -> Result<Vec<f32>> {
        let small = resize_opencv(picture, self.resized[0], self.resized[1], Interpolation::Linear)?;
        let [width, height] = self.input;
        let value = |x: u32, y: u32, channel: usize| {
            let inside = x < self.resized[0] && y < self.resized[1];
            let byte = if inside { small.get_pixel(x, y)[channel] } else { 0 };
            (f32::from(byte) - MEAN) / SCALE
        };
        let rows = (0..3).flat_map(|channel| (0..height).map(move |y| (channel, y)));
        Ok(rows.flat_map(|(channel, y)| (0..width).map(move |x| value(x, y, channel))).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_picture_fills_one_side_and_exceeds_none(size in prop::array::uniform2(1u32..3000)) {
            if let Ok(fitted) = Letterbox::fit(size, [640, 640]) {
                prop_assert!(fitted.resized.contains(&640) || fitted.resized.contains(&639));
                prop_assert!(fitted.resized.iter().all(|side| (1..=640).contains(side)));
            }
        }
    }

    #[test]
    fn pictures_without_pixels_are_refused() {
        assert!(Letterbox::fit([0, 5], [640, 640]).is_err());
        assert!(Letterbox::fit([5000, 1], [640, 640]).is_err());
    }

    #[test]
    fn the_border_is_black() {
        let picture = Frame::from_pixel(10, 20, image::Rgb([255, 0, 128]));
        let blob = Letterbox::fit([10, 20], [20, 20]).unwrap().blob(&picture).unwrap();
        assert_eq!(blob[..2], [(255.0 - 127.5) / 128.0; 2]);
        assert_eq!(blob[19], -127.5 / 128.0);
        assert_eq!(blob[400], -127.5 / 128.0);
    }
}
