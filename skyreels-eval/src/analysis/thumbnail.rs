//! Small pictures for the report.

use image::codecs::jpeg::JpegEncoder;
use skyreels_core::resize::{Filter, resize_pillow};
use skyreels_core::{Error as CoreError, Frame};

use super::clip::Thumbnail;
use crate::Result;

/// Largest width and height of a small picture, in pixels.
const MOST: [u32; 2] = [160, 240];
const JPEG_QUALITY: u8 = 80;

impl Thumbnail {
    /// Small pictures that are kept of a clip, however many of its frames are sampled.
    pub(super) const MOST_OF_A_CLIP: usize = 16;

    /// Frame number `index`, small.
    pub(super) fn of(index: usize, frame: &Frame) -> Result<Self> {
        let scale = MOST.iter().zip([frame.width(), frame.height()]);
        let scale = scale.map(|(most, side)| f64::from(*most) / f64::from(side.max(1))).fold(f64::INFINITY, f64::min);
        let [width, height] = [frame.width(), frame.height()].map(|side| (f64::from(side) * scale).round().max(1.0));
        let small = resize_pillow(frame, width as u32, height as u32, Filter::Box)?;
        let mut jpeg = Vec::new();
        let encoded = JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&small);
        encoded.map_err(|error| CoreError::invalid("small picture", error.to_string()))?;
        Ok(Self { frame: index, jpeg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_stay_small_whatever_the_shape() {
        for (width, height, expected) in [
            (720, 480, (160, 107)),
            (480, 720, (160, 240)),
            (3, 4000, (1, 240)),
            (4000, 3, (160, 1)),
            (8, 8, (160, 160)),
        ] {
            let small = Thumbnail::of(7, &Frame::new(width, height)).unwrap();
            let picture = image::load_from_memory(&small.jpeg).unwrap();
            assert_eq!((small.frame, picture.width(), picture.height()), (7, expected.0, expected.1));
        }
    }
}
