//! A rotated rectangle of a frame, stretched to a square of pixels, with OpenCV's rounding.
//!
//! MediaPipe crops with `boxPoints`, `getPerspectiveTransform` and `warpPerspective` (linear interpolation on 8-bit
//! values). In their order of operations every pixel of the crop is the same.

use skyreels_core::Frame;

/// A rectangle of a frame in pixels, rotated about its centre.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    pub(crate) center: [f32; 2],
    pub(crate) size: [f32; 2],
    /// Clockwise (y points down), radians.
    pub(crate) rotation: f32,
}

/// What lies outside of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Border {
    Black,
    /// The nearest pixel of the edge.
    Replicate,
}

/// Fraction bits of a sampling position: 1/32 pixel.
const FRACTION_BITS: u32 = 5;
const FRACTIONS: i32 = 1 << FRACTION_BITS;
/// Width of the blocks in which OpenCV steps along a row.
const BLOCK: usize = 64;

type Matrix = [f64; 9];

/// From the unit square of a [`Region`] to shares of the frame, in the order of `GetRotatedSubRectToRectTransformMatrix`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projection {
    x: [f32; 3],
    y: [f32; 3],
}

impl Projection {
    /// Where a point of the region is in the frame.
    pub(crate) fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.x, self.y].map(|row| x * row[0] + y * row[1] + row[2])
    }

    /// How wide the region is in the frame.
    pub(crate) fn width(&self) -> f32 {
        let ([x0, y0], [x1, y1]) = (self.apply([0.0, 0.0]), self.apply([1.0, 0.0]));
        (f64::from(x1 - x0).powi(2) + f64::from(y1 - y0).powi(2)).sqrt() as f32
    }
}

impl Region {
    /// From this region, seen as the unit square, to a frame of `width` x `height` pixels.
    pub(crate) fn projection(&self, [width, height]: [f32; 2]) -> Projection {
        let (sin, cos) = self.rotation.sin_cos();
        let ([w, h], [cx, cy]) = (self.size, self.center);
        let (per_x, per_y) = (1.0 / width, 1.0 / height);
        Projection {
            x: [w * cos * per_x, -h * sin * per_x, (-0.5 * w * cos + 0.5 * h * sin + cx) * per_x],
            y: [w * sin * per_y, h * cos * per_y, (-0.5 * h * cos - 0.5 * w * sin + cy) * per_y],
        }
    }

    /// Corners in the order of `cv::boxPoints`: bottom left, top left, top right, bottom right.
    fn corners(&self) -> [[f32; 2]; 4] {
        // The angle passes through f32 degrees on its way.
        let degrees = (f64::from(self.rotation * 180.0) / std::f64::consts::PI) as f32;
        let radians = f64::from(degrees) * std::f64::consts::PI / 180.0;
        let b = radians.cos() as f32 * 0.5;
        let a = radians.sin() as f32 * 0.5;
        let ([cx, cy], [w, h]) = (self.center, self.size);
        let p0 = [cx - a * h - b * w, cy + b * h - a * w];
        let p1 = [cx + a * h - b * w, cy - b * h - a * w];
        [p0, p1, [2.0 * cx - p0[0], 2.0 * cy - p0[1]], [2.0 * cx - p1[0], 2.0 * cy - p1[1]]]
    }
}

/// Samples `region` into `side` x `side` pixels and returns them as planes R, G, B of `value * scale + offset`.
///
/// A region without area gives pixels of one colour, not an error.
pub(crate) fn warp(frame: &Frame, region: &Region, side: usize, border: Border, [scale, offset]: [f32; 2]) -> Vec<f32> {
    let n = side as f32;
    let corners = [[0.0, n], [0.0, 0.0], [n, 0.0], [n, n]];
    let matrix = perspective(region.corners(), corners).map_or([0.0; 9], |m| inverse(&m));
    // OpenCV fuses this where the processor can.
    let table: [f32; 256] = std::array::from_fn(|v| (v as f32).mul_add(scale, offset));
    let mut planes = vec![0.0; 3 * side * side];
    let (red, rest) = planes.split_at_mut(side * side);
    let (green, blue) = rest.split_at_mut(side * side);
    for y in 0..side {
        for block in (0..side).step_by(BLOCK) {
            let at = |row: usize| matrix[3 * row] * block as f64 + matrix[3 * row + 1] * y as f64 + matrix[3 * row + 2];
            let (x0, y0, w0) = (at(0), at(1), at(2));
            for step in 0..BLOCK.min(side - block) {
                let along = step as f64;
                let w = w0 + matrix[6] * along;
                let w = if w == 0.0 { 0.0 } else { f64::from(FRACTIONS) / w };
                let sx = fixed((x0 + matrix[0] * along) * w);
                let sy = fixed((y0 + matrix[3] * along) * w);
                let [r, g, b] = sample(frame, sx, sy, border);
                let i = y * side + block + step;
                red[i] = table[usize::from(r)];
                green[i] = table[usize::from(g)];
                blue[i] = table[usize::from(b)];
            }
        }
    }
    planes
}

/// Rounds half to even and saturates, as `cv::saturate_cast<int>`.
fn fixed(value: f64) -> i32 {
    value.round_ties_even() as i32
}

/// One pixel at a position in 1/32 pixels.
#[inline]
fn sample(frame: &Frame, x: i32, y: i32, border: Border) -> [u8; 3] {
    let (fx, fy) = (x & (FRACTIONS - 1), y & (FRACTIONS - 1));
    let weights =
        [(FRACTIONS - fx) * (FRACTIONS - fy), fx * (FRACTIONS - fy), (FRACTIONS - fx) * fy, fx * fy].map(|w| w as u32);
    let (left, top) = (x >> FRACTION_BITS, y >> FRACTION_BITS);
    let (width, height) = (frame.width() as i32, frame.height() as i32);
    let pixels = frame.as_raw();
    let stride = 3 * width as usize;
    let mut sum = [1u32 << (2 * FRACTION_BITS - 1); 3];
    let inside = left >= 0 && top >= 0 && left < width - 1 && top < height - 1;
    if inside {
        let start = top as usize * stride + 3 * left as usize;
        let upper = &pixels[start..start + 6];
        let lower = &pixels[start + stride..start + stride + 6];
        for c in 0..3 {
            sum[c] += weights[0] * u32::from(upper[c])
                + weights[1] * u32::from(upper[c + 3])
                + weights[2] * u32::from(lower[c])
                + weights[3] * u32::from(lower[c + 3]);
        }
    } else {
        for (tap, &weight) in weights.iter().enumerate() {
            let (x, y) = (left.saturating_add(tap as i32 & 1), top.saturating_add(tap as i32 >> 1));
            let (cx, cy) = (x.clamp(0, width - 1), y.clamp(0, height - 1));
            if border == Border::Black && (cx, cy) != (x, y) {
                continue;
            }
            let start = cy as usize * stride + 3 * cx as usize;
            for c in 0..3 {
                sum[c] += weight * u32::from(pixels[start + c]);
            }
        }
    }
    sum.map(|s| (s >> (2 * FRACTION_BITS)) as u8)
}

/// `cv::getPerspectiveTransform`: the homography that takes `from` to `to`; `None` if there is none.
fn perspective(from: [[f32; 2]; 4], to: [[f32; 2]; 4]) -> Option<Matrix> {
    let mut a = [[0.0f64; 8]; 8];
    let mut b = [0.0f64; 8];
    for i in 0..4 {
        let ([x, y], [u, v]) = (from[i], to[i]);
        let point = [f64::from(x), f64::from(y), 1.0];
        a[i][..3].copy_from_slice(&point);
        a[i + 4][3..6].copy_from_slice(&point);
        a[i][6] = f64::from(-x * u);
        a[i][7] = f64::from(-y * u);
        a[i + 4][6] = f64::from(-x * v);
        a[i + 4][7] = f64::from(-y * v);
        b[i] = f64::from(u);
        b[i + 4] = f64::from(v);
    }
    let solution = solve(a, b)?;
    let mut matrix = [1.0; 9];
    matrix[..8].copy_from_slice(&solution);
    Some(matrix)
}

/// Gaussian elimination with row pivots, in the order of `cv::LU`.
fn solve(mut a: [[f64; 8]; 8], mut b: [f64; 8]) -> Option<[f64; 8]> {
    for i in 0..8 {
        let mut pivot = i;
        for j in i + 1..8 {
            if a[j][i].abs() > a[pivot][i].abs() {
                pivot = j;
            }
        }
        // False for a rectangle without area, and for one that is not a number.
        let regular = a[pivot][i].abs() >= f64::EPSILON;
        if !regular {
            return None;
        }
        a.swap(i, pivot);
        b.swap(i, pivot);
        let d = -1.0 / a[i][i];
        let row = a[i];
        for j in i + 1..8 {
            let alpha = a[j][i] * d;
            for (to, from) in a[j].iter_mut().zip(row).skip(i + 1) {
                *to += alpha * from;
            }
            b[j] += alpha * b[i];
        }
    }
    for i in (0..8).rev() {
        let mut s = b[i];
        for k in i + 1..8 {
            s -= a[i][k] * b[k];
        }
        b[i] = s / a[i][i];
    }
    Some(b)
}

/// `cv::invert` of 3x3: the adjugate over the determinant; zeros for a singular matrix.
fn inverse(m: &Matrix) -> Matrix {
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
    let determinant = m[0] * minor(4, 5, 7, 8) - m[1] * minor(3, 5, 6, 8) + m[2] * minor(3, 4, 6, 7);
    if determinant == 0.0 {
        return [0.0; 9];
    }
    let d = 1.0 / determinant;
    [
        minor(4, 5, 7, 8) * d,
        minor(2, 1, 8, 7) * d,
        minor(1, 2, 4, 5) * d,
        minor(5, 3, 8, 6) * d,
        minor(0, 2, 6, 8) * d,
        minor(2, 0, 5, 3) * d,
        minor(3, 4, 6, 7) * d,
        minor(1, 0, 7, 6) * d,
        minor(0, 1, 3, 4) * d,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> Frame {
        Frame::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]))
    }

    #[test]
    fn the_middle_of_a_region_is_its_centre_in_the_frame() {
        let region = Region { center: [30.0, 40.0], size: [20.0, 10.0], rotation: 0.7 };
        let [x, y] = region.projection([100.0, 200.0]).apply([0.5, 0.5]);
        assert!((x - 0.3).abs() < 1e-6 && (y - 0.2).abs() < 1e-6);
    }

    #[test]
    fn an_upright_region_is_scaled_and_shifted() {
        let region = Region { center: [50.0, 50.0], size: [20.0, 40.0], rotation: 0.0 };
        let projection = region.projection([100.0, 100.0]);
        let [x, y] = projection.apply([0.0, 1.0]);
        assert!((x - 0.4).abs() < 1e-6 && (y - 0.7).abs() < 1e-6 && (projection.width() - 0.2).abs() < 1e-6);
    }

    #[test]
    fn a_region_as_large_as_its_target_copies_pixels() {
        let region = Region { center: [32.0, 32.0], size: [64.0, 64.0], rotation: 0.0 };
        let planes = warp(&gradient(64, 64), &region, 64, Border::Black, [1.0, 0.0]);
        for y in 0..64 {
            for x in 0..64 {
                assert_eq!(planes[y * 64 + x], x as f32);
                assert_eq!(planes[64 * 64 + y * 64 + x], y as f32);
            }
        }
    }

    #[test]
    fn a_quarter_turn_turns_the_axes() {
        let region = Region { center: [32.0, 32.0], size: [64.0, 64.0], rotation: std::f32::consts::FRAC_PI_2 };
        let planes = warp(&gradient(64, 64), &region, 64, Border::Replicate, [1.0, 0.0]);
        // Going right in the crop goes down in the frame; going down goes left.
        assert_eq!(planes[64 * 64 + 10 * 64 + 20], 20.0);
        assert_eq!(planes[10 * 64 + 20], 54.0);
    }

    #[test]
    fn outside_is_black_or_the_nearest_edge() {
        let frame = Frame::from_pixel(4, 4, image::Rgb([200; 3]));
        let region = Region { center: [-50.0, 2.0], size: [8.0, 8.0], rotation: 0.3 };
        assert!(warp(&frame, &region, 16, Border::Black, [1.0, 0.0]).iter().all(|&v| v == 0.0));
        assert!(warp(&frame, &region, 16, Border::Replicate, [1.0, 0.0]).iter().all(|&v| v == 200.0));
    }

    #[test]
    fn degenerate_regions_give_pixels_not_panics() {
        let frame = gradient(1, 1);
        for bad in [0.0, -5.0, 1e30, f32::NAN, f32::INFINITY] {
            for (center, size) in [([bad; 2], [8.0; 2]), ([0.5; 2], [bad; 2])] {
                for border in [Border::Black, Border::Replicate] {
                    let region = Region { center, size, rotation: bad };
                    assert_eq!(warp(&frame, &region, 8, border, [1.0, 0.0]).len(), 192);
                }
            }
        }
    }

    #[test]
    fn the_inverse_undoes_the_matrix() {
        let m = [2.0, 0.5, 3.0, -1.0, 4.0, 0.25, 0.125, -0.5, 1.0];
        let i = inverse(&m);
        for row in 0..3 {
            for column in 0..3 {
                let product: f64 = (0..3).map(|k| m[3 * row + k] * i[3 * k + column]).sum();
                assert!((product - f64::from(u8::from(row == column))).abs() < 1e-12);
            }
        }
    }
}
