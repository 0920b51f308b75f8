//! Turning pictures upright.

use image::DynamicImage;
use image::metadata::Orientation;

use crate::Frame;

/// Orientation that a track header's matrix asks for (ISO/IEC 14496-12, 8.3.2): turns and mirrors by quarters,
/// everything else is left alone.
pub(super) fn from_matrix(matrix: &[i32; 9]) -> Orientation {
    // x' = a x + c y, y' = b x + d y in 16.16 fixed point, y pointing down.
    let [a, b, _, c, d, ..] = matrix.map(i32::signum);
    match (a, b, c, d) {
        (0, 1, -1, 0) => Orientation::Rotate90,
        (-1, 0, 0, -1) => Orientation::Rotate180,
        (0, -1, 1, 0) => Orientation::Rotate270,
        (-1, 0, 0, 1) => Orientation::FlipHorizontal,
        (1, 0, 0, -1) => Orientation::FlipVertical,
        (0, 1, 1, 0) => Orientation::Rotate90FlipH,
        (0, -1, -1, 0) => Orientation::Rotate270FlipH,
        _ => Orientation::NoTransforms,
    }
}

/// Degrees clockwise, mirrors apart.
pub(super) fn degrees(orientation: Orientation) -> u16 {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate90FlipH => 90,
        Orientation::Rotate180 => 180,
        Orientation::Rotate270 | Orientation::Rotate270FlipH => 270,
        _ => 0,
    }
}

/// Whether width and height change places.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    degrees(orientation) % 180 == 90
}

/// The picture turned as asked.
pub(super) fn apply(image: Frame, orientation: Orientation) -> Frame {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation);
    image.into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    /// Where the matrix sends a pixel is where the picture has it.
    #[test]
    fn every_matrix_moves_pixels_as_it_says() {
        let source = Frame::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 0]));
        for (a, b, c, d) in [
            (1, 0, 0, 1),
            (0, 1, -1, 0),
            (-1, 0, 0, -1),
            (0, -1, 1, 0),
            (-1, 0, 0, 1),
            (1, 0, 0, -1),
            (0, 1, 1, 0),
            (0, -1, -1, 0),
        ] {
            let matrix = [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30];
            let turned = apply(source.clone(), from_matrix(&matrix));
            for (x, y, pixel) in source.enumerate_pixels() {
                // Pixel centres, doubled, around the centre of the picture.
                let (dx, dy) = (2 * x as i32 + 1 - 3, 2 * y as i32 + 1 - 2);
                let (tx, ty) = (a * dx + c * dy, b * dx + d * dy);
                let (width, height) = (turned.width() as i32, turned.height() as i32);
                let (tx, ty) = ((tx + width - 1) / 2, (ty + height - 1) / 2);
                assert_eq!(turned.get_pixel(tx as u32, ty as u32), pixel, "matrix {:?}", (a, b, c, d));
            }
        }
    }
}
