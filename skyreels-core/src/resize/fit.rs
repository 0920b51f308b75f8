//! Any picture onto the canvas of the model (`crop_and_resize` of the original).

use image::imageops;

use super::{Filter, resize_pillow};
use crate::{Error, Frame, Result};

/// Where the pixels of a picture end up on the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Wider than the canvas: keep this many columns from `left`.
    Crop { left: u32, width: u32 },
    /// Narrower: this many black columns on each side.
    Pad { each: u32 },
}

impl Shape {
    fn of(width: u32, height: u32, target_width: u32, target_height: u32) -> Self {
        // In double precision and in this order, because truncation decides the last column.
        let [w, h, tw, th] = [width, height, target_width, target_height].map(f64::from);
        if h / w < th / tw {
            let kept = ((h / th * tw) as u32).clamp(1, width);
            Self::Crop { left: (width - kept) / 2, width: kept }
        } else {
            Self::Pad { each: ((tw / th * h - w) / 2.0) as u32 }
        }
    }
}

/// Fits a picture onto a canvas of `width` x `height`: its full height is kept, sides are cropped when it is too
/// wide and become black bars when it is too narrow; then it is resized with Pillow's bicubic filter.
///
/// Bit for bit what the original does to the portrait and, for side-by-side pictures, to the driving frames.
///
/// # Shapes
/// Any non-empty picture to `[height, width, 3]`.
///
/// # Errors
/// [`Error::Invalid`] when a side is zero, or the picture is so narrow that its bars would not fit into memory.
pub fn fit(image: &Frame, width: u32, height: u32) -> Result<Frame> {
    let (from_width, from_height) = image.dimensions();
    if width == 0 || height == 0 || from_width == 0 || from_height == 0 {
        return Err(Error::invalid("size", format!("{from_width}x{from_height} cannot become {width}x{height}")));
    }
    match Shape::of(from_width, from_height, width, height) {
        Shape::Crop { left, width: kept } => {
            let cropped = imageops::crop_imm(image, left, 0, kept, from_height).to_image();
            resize_pillow(&cropped, width, height, Filter::Bicubic)
        }
        Shape::Pad { each } => {
            let padded_width = each.checked_mul(2).and_then(|bars| bars.checked_add(from_width));
            let padded_width = padded_width.filter(|padded| *padded <= MAX_PADDED_SIDE).ok_or_else(|| {
                let reason =
                    format!("a picture of {from_width}x{from_height} is too narrow for {width}x{height}; crop it");
                Error::invalid("size", reason)
            })?;
            let mut padded = Frame::new(padded_width, from_height);
            imageops::replace(&mut padded, image, each.into(), 0);
            resize_pillow(&padded, width, height, Filter::Bicubic)
        }
    }
}

/// Width with bars that is still made room for; pictures within the default limits stay below it.
const MAX_PADDED_SIDE: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_result_has_the_asked_size_and_the_height_is_never_cropped(
            w in 1_u32..200, h in 1_u32..200, tw in 1_u32..100, th in 1_u32..100,
        ) {
            let image = Frame::from_pixel(w, h, image::Rgb([255; 3]));
            let fitted = fit(&image, tw, th).unwrap();
            prop_assert_eq!(fitted.dimensions(), (tw, th));
            // The middle column is picture from top to bottom.
            if let Shape::Crop { .. } = Shape::of(w, h, tw, th) {
                prop_assert!(fitted.pixels().all(|pixel| pixel.0 == [255; 3]));
            }
        }
    }

    #[test]
    fn a_portrait_gets_black_bars_and_a_panorama_loses_its_sides() {
        assert_eq!(Shape::of(480, 720, 720, 480), Shape::Pad { each: 300 });
        assert_eq!(Shape::of(2_000, 480, 720, 480), Shape::Crop { left: 640, width: 720 });
        assert_eq!(Shape::of(720, 480, 720, 480), Shape::Pad { each: 0 });
    }
}
