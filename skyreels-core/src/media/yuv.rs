//! Planar 4:2:0 pictures and their way to RGB and back.

use image::RgbImage;
use rayon::prelude::*;

use crate::Frame;

/// Matrix that ties luma and colour difference to RGB (ITU-T H.273, MatrixCoefficients).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matrix {
    /// ITU-R BT.601: what is assumed where a file does not say.
    #[default]
    Bt601,
    /// ITU-R BT.709: usual for HD.
    Bt709,
    /// FCC 73.682.
    Fcc,
    /// SMPTE 240M.
    Smpte240m,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

impl Matrix {
    /// The matrix of an H.273 code; `None` for "unspecified" and for everything that is not one of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Bt709),
            4 => Some(Self::Fcc),
            5 | 6 => Some(Self::Bt601),
            7 => Some(Self::Smpte240m),
            9 => Some(Self::Bt2020),
            _ => None,
        }
    }

    /// Its H.273 code.
    pub fn code(self) -> u16 {
        match self {
            Self::Bt709 => 1,
            Self::Fcc => 4,
            Self::Bt601 => 6,
            Self::Smpte240m => 7,
            Self::Bt2020 => 9,
        }
    }

    /// Weights of red and blue in luma.
    fn luma_weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Fcc => (0.30, 0.11),
            Self::Smpte240m => (0.212, 0.087),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }

    /// Limited-range inverse in 16.16 fixed point, as FFmpeg's swscale rounds it: V to red, U to blue,
    /// minus U to green, minus V to green.
    fn inverse(self) -> [i32; 4] {
        match self {
            Self::Bt601 => [104_597, 132_201, -25_675, -53_279],
            Self::Bt709 => [117_489, 138_438, -13_975, -34_925],
            Self::Fcc => [104_448, 132_798, -24_759, -53_109],
            Self::Smpte240m => [117_579, 136_230, -16_907, -35_559],
            Self::Bt2020 => [110_013, 140_363, -12_277, -42_626],
        }
    }
}

/// How the numbers of a YUV picture are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Colour {
    /// The matrix.
    pub matrix: Matrix,
    /// Whether luma spans 0..=255 instead of 16..=235.
    pub full_range: bool,
}

/// A picture in 8-bit planar 4:2:0, planes tightly packed.
///
/// # Shapes
/// `y` is `[height, width]`; `u` and `v` are `[ceil(height / 2), ceil(width / 2)]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yuv420 {
    /// Width of the luma plane.
    pub width: u32,
    /// Height of the luma plane.
    pub height: u32,
    /// Luma.
    pub y: Vec<u8>,
    /// Blue difference.
    pub u: Vec<u8>,
    /// Red difference.
    pub v: Vec<u8>,
}

/// Fraction bits of the fixed-point forward matrix.
const FORWARD_BITS: u32 = 16;

impl Yuv420 {
    /// Converts to RGB with the arithmetic of FFmpeg's default conversion to `rgb24` (swscale, unscaled,
    /// nearest chroma), bit for bit (`face-and-video.md`, section 3).
    pub fn to_rgb(&self, colour: Colour) -> Frame {
        let (luma_scale, luma_offset, inverse) = if colour.full_range {
            (8_192, 0, colour.matrix.inverse().map(|k| k * 224 / 255))
        } else {
            (9_539, 128, colour.matrix.inverse())
        };
        let [red_v, blue_u, green_u, green_v] = inverse.map(|k| (k * 8_192 + 32_768) >> 16);
        let (width, chroma_width) = (self.width as usize, self.width.div_ceil(2) as usize);
        let mut rgb = vec![0; width * self.height as usize * 3];
        rgb.par_chunks_exact_mut(width * 3).zip(self.y.par_chunks_exact(width)).enumerate().for_each(
            |(row, (out, luma))| {
                let us = &self.u[row / 2 * chroma_width..][..chroma_width];
                let vs = &self.v[row / 2 * chroma_width..][..chroma_width];
                for (column, (out, &y)) in out.chunks_exact_mut(3).zip(luma).enumerate() {
                    let y = ((i32::from(y) * 8 - luma_offset) * luma_scale) >> 16;
                    let u = i32::from(us[column / 2]) * 8 - 1_024;
                    let v = i32::from(vs[column / 2]) * 8 - 1_024;
                    out[0] = clamp(y + ((v * red_v) >> 16));
                    out[1] = clamp(y + ((u * green_u) >> 16) + ((v * green_v) >> 16));
                    out[2] = clamp(y + ((u * blue_u) >> 16));
                }
            },
        );
        RgbImage::from_raw(self.width, self.height, rgb).expect("three bytes per pixel were allocated")
    }

    /// Converts from RGB; chroma is the mean of each 2x2 block. A picture with an odd side is extended to
    /// an even one by repeating its last column or row, because H.264 4:2:0 knows no odd sizes.
    pub fn from_rgb(image: &Frame, colour: Colour) -> Self {
        let (source_width, source_height) = (image.width() as usize, image.height() as usize);
        let (width, height) = (source_width.next_multiple_of(2), source_height.next_multiple_of(2));
        let forward = Forward::new(colour);
        let pixels = image.as_raw();
        let pixel = |row: usize, column: usize| {
            let at = (row.min(source_height - 1) * source_width + column.min(source_width - 1)) * 3;
            [i32::from(pixels[at]), i32::from(pixels[at + 1]), i32::from(pixels[at + 2])]
        };
        let mut y = vec![0; width * height];
        let mut u = vec![0; width / 2 * (height / 2)];
        let mut v = u.clone();
        y.par_chunks_exact_mut(width * 2)
            .zip(u.par_chunks_exact_mut(width / 2).zip(v.par_chunks_exact_mut(width / 2)))
            .enumerate()
            .for_each(|(pair, (y, (u, v)))| {
                for column in 0..width / 2 {
                    let mut sum = [0; 3];
                    for (down, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                        let rgb = pixel(pair * 2 + down, column * 2 + right);
                        y[down * width + column * 2 + right] = forward.luma(rgb);
                        sum = [sum[0] + rgb[0], sum[1] + rgb[1], sum[2] + rgb[2]];
                    }
                    u[column] = forward.difference(&forward.u, sum);
                    v[column] = forward.difference(&forward.v, sum);
                }
            });
        Self { width: width as u32, height: height as u32, y, u, v }
    }
}

/// The forward matrix in fixed point.
struct Forward {
    y: [i32; 3],
    u: [i32; 3],
    v: [i32; 3],
    luma_floor: i32,
}

impl Forward {
    fn new(colour: Colour) -> Self {
        let (red, blue) = colour.matrix.luma_weights();
        let green = 1.0 - red - blue;
        let (luma, difference) = if colour.full_range { (1.0, 1.0) } else { (219.0 / 255.0, 224.0 / 255.0) };
        let fixed = |row: [f64; 3]| row.map(|k| (k * f64::from(1 << FORWARD_BITS)).round() as i32);
        let half = difference * 0.5;
        Self {
            y: fixed([red * luma, green * luma, blue * luma]),
            u: fixed([-red / (1.0 - blue) * half, -green / (1.0 - blue) * half, half]),
            v: fixed([half, -green / (1.0 - red) * half, -blue / (1.0 - red) * half]),
            luma_floor: if colour.full_range { 0 } else { 16 },
        }
    }

    fn luma(&self, rgb: [i32; 3]) -> u8 {
        clamp(((dot(&self.y, rgb) + (1 << (FORWARD_BITS - 1))) >> FORWARD_BITS) + self.luma_floor)
    }

    /// `sum` is over four pixels, hence two more bits to shift out.
    fn difference(&self, row: &[i32; 3], sum: [i32; 3]) -> u8 {
        clamp(((dot(row, sum) + (1 << (FORWARD_BITS + 1))) >> (FORWARD_BITS + 2)) + 128)
    }
}

fn dot(row: &[i32; 3], rgb: [i32; 3]) -> i32 {
    row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]
}

fn clamp(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRICES: [Matrix; 5] = [Matrix::Bt601, Matrix::Bt709, Matrix::Fcc, Matrix::Smpte240m, Matrix::Bt2020];

    #[test]
    fn flat_colours_survive_the_trip_through_yuv() {
        for matrix in MATRICES {
            for full_range in [false, true] {
                let colour = Colour { matrix, full_range };
                for rgb in [[0, 0, 0], [255, 255, 255], [200, 30, 60], [12, 180, 90], [40, 70, 230]] {
                    let image = Frame::from_pixel(6, 4, image::Rgb(rgb));
                    let back = Yuv420::from_rgb(&image, colour).to_rgb(colour);
                    for (a, b) in back.as_raw().iter().zip(image.as_raw()) {
                        assert!(a.abs_diff(*b) <= 3, "{colour:?} {rgb:?} became {:?}", back.get_pixel(0, 0));
                    }
                }
            }
        }
    }

    #[test]
    fn odd_sides_are_extended_by_repetition() {
        let image = Frame::from_fn(3, 5, |x, y| image::Rgb([(x * 80) as u8, (y * 50) as u8, 7]));
        let planes = Yuv420::from_rgb(&image, Colour::default());
        assert_eq!((planes.width, planes.height), (4, 6));
        assert_eq!(planes.y[2], planes.y[3]);
        assert_eq!(planes.y[4 * 4..5 * 4], planes.y[5 * 4..6 * 4]);
    }

    #[test]
    fn codes_name_the_matrix_they_come_from() {
        for matrix in MATRICES {
            assert_eq!(Matrix::from_code(matrix.code()), Some(matrix));
        }
        assert_eq!(Matrix::from_code(2), None);
    }
}
