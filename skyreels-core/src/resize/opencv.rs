//! `cv2.resize` on 8-bit pictures (OpenCV, `modules/imgproc/src/resize.cpp`), bit for bit.

use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Frame, Result};

/// Fraction bits of an interpolation weight (`INTER_RESIZE_COEF_BITS`).
const WEIGHT_BITS: u32 = 11;
const ONE: i32 = 1 << WEIGHT_BITS;

/// Interpolation of OpenCV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// `INTER_NEAREST`.
    Nearest,
    /// `INTER_LINEAR`, the default: what crops a face to 512x512.
    Linear,
    /// `INTER_CUBIC` with a = -0.75.
    Cubic,
    /// `INTER_AREA`: the mean of the covered area when shrinking.
    Area,
}

/// Resizes as OpenCV does; no antialiasing except for [`Interpolation::Area`].
///
/// # Shapes
/// Any non-empty picture to `[height, width, 3]`.
///
/// # Errors
/// [`Error::Invalid`] when a side is zero.
pub fn resize_opencv(image: &Frame, width: u32, height: u32, interpolation: Interpolation) -> Result<Frame> {
    if width == 0 || height == 0 || image.width() == 0 || image.height() == 0 {
        let (from_width, from_height) = image.dimensions();
        let reason = format!("{from_width}x{from_height} cannot become {width}x{height}");
        return Err(Error::invalid("size", reason));
    }
    if (width, height) == image.dimensions() {
        return Ok(image.clone());
    }
    let halves = image.width() == width * 2 && image.height() == height * 2;
    let shrinks = image.width() >= width && image.height() >= height;
    let pixels = match interpolation {
        Interpolation::Nearest => nearest(image, width, height),
        // Exact halving by interpolation is the mean of four pixels, and OpenCV takes that path.
        Interpolation::Linear if halves => area::shrink(image, width, height),
        Interpolation::Linear => linear(image, width, height, &axis_linear),
        Interpolation::Area if shrinks => area::shrink(image, width, height),
        Interpolation::Area => linear(image, width, height, &axis_area_growing),
        Interpolation::Cubic => cubic(image, width, height),
    };
    Ok(RgbImage::from_raw(width, height, pixels).expect("three bytes per pixel were allocated"))
}

fn nearest(image: &Frame, width: u32, height: u32) -> Vec<u8> {
    let source_of = |position: u32, from: u32, to: u32| {
        let scale = 1.0 / (f64::from(to) / f64::from(from));
        ((f64::from(position) * scale).floor() as u32).min(from - 1)
    };
    let columns: Vec<u32> = (0..width).map(|x| source_of(x, image.width(), width)).collect();
    let mut out = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        let row = source_of(y, image.height(), height);
        for column in &columns {
            out.extend_from_slice(&image.get_pixel(*column, row).0);
        }
    }
    out
}

/// First of the neighbours and the fraction towards the next, in single precision.
type Axis = dyn Fn(u32, u32, u32) -> (i64, f32) + Sync;

fn axis_linear(position: u32, from: u32, to: u32) -> (i64, f32) {
    let scale = 1.0 / (f64::from(to) / f64::from(from));
    let at = ((f64::from(position) + 0.5) * scale - 0.5) as f32;
    let floor = at.floor();
    (floor as i64, at - floor)
}

/// `INTER_AREA` when growing: linear, but each source pixel keeps its own area.
fn axis_area_growing(position: u32, from: u32, to: u32) -> (i64, f32) {
    let inverse = f64::from(to) / f64::from(from);
    let scale = 1.0 / inverse;
    let first = (f64::from(position) * scale).floor();
    let fraction = ((f64::from(position) + 1.0) - (first + 1.0) * inverse) as f32;
    (first as i64, if fraction <= 0.0 { 0.0 } else { fraction - fraction.floor() })
}

/// Weight in fixed point, ties to even as `saturate_cast<short>` rounds.
fn fixed(weight: f32) -> i32 {
    (weight * ONE as f32).round_ties_even() as i32
}

fn linear(image: &Frame, width: u32, height: u32, axis: &Axis) -> Vec<u8> {
    let last = i64::from(image.width()) - 1;
    let columns: Vec<(usize, usize, i32, i32)> = (0..width)
        .map(|x| {
            let (first, fraction) = axis(x, image.width(), width);
            // Columns beyond the border count as the border itself.
            let (first, fraction) = match first {
                first if first < 0 => (0, 0.0),
                first if first >= last => (last, 0.0),
                first => (first, fraction),
            };
            let next = (first + 1).min(last);
            (first as usize * 3, next as usize * 3, fixed(1.0 - fraction), fixed(fraction))
        })
        .collect();
    let stride = image.width() as usize * 3;
    let source = image.as_raw();
    let blend_row = |row: i64| -> Vec<i32> {
        let row = row.clamp(0, i64::from(image.height()) - 1) as usize;
        let row = &source[row * stride..][..stride];
        let mut out = Vec::with_capacity(columns.len() * 3);
        for (first, next, near, far) in &columns {
            for channel in 0..3 {
                out.push(i32::from(row[first + channel]) * near + i32::from(row[next + channel]) * far);
            }
        }
        out
    };
    let mut out = vec![0; width as usize * 3 * height as usize];
    out.par_chunks_exact_mut(width as usize * 3).enumerate().for_each(|(y, out)| {
        let (first, fraction) = axis(y as u32, image.height(), height);
        let (near, far) = (fixed(1.0 - fraction), fixed(fraction));
        let (upper, lower) = (blend_row(first), blend_row(first + 1));
        for (out, (upper, lower)) in out.iter_mut().zip(upper.iter().zip(&lower)) {
            // The vector code of OpenCV drops four bits before and sixteen after each product.
            let sum = ((near * (upper >> 4)) >> 16) + ((far * (lower >> 4)) >> 16);
            *out = ((sum + 2) >> 2).clamp(0, 255) as u8;
        }
    });
    out
}

/// Weights of the four neighbours at `fraction` between the middle two (`interpolateCubic`).
fn cubic_weights(x: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let w0 = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let w1 = ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let w2 = ((A + 2.0) * (1.0 - x) - (A + 3.0)) * (1.0 - x) * (1.0 - x) + 1.0;
    [w0, w1, w2, 1.0 - w0 - w1 - w2]
}

/// First of the middle two neighbours, and the fraction towards the next, in double precision.
fn cubic_axis(position: u32, from: u32, to: u32) -> (i64, f64) {
    let at = (f64::from(position) + 0.5) / (f64::from(to) / f64::from(from)) - 0.5;
    (at.floor() as i64, at - at.floor())
}

/// Sum of products, rounded to single precision at each step as the published builds of OpenCV have it.
fn weighted(values: [f32; 4], weights: &[f64; 4]) -> f32 {
    let product = |tap: usize| (f64::from(values[tap]) * weights[tap]) as f32;
    product(0) + product(1) + product(2) + product(3)
}

/// Unlike the linear path this one does not round weights to fixed point, only the result.
fn cubic(image: &Frame, width: u32, height: u32) -> Vec<u8> {
    let last = i64::from(image.width()) - 1;
    let columns: Vec<([usize; 4], [f64; 4])> = (0..width)
        .map(|x| {
            let (first, fraction) = cubic_axis(x, image.width(), width);
            let taps = std::array::from_fn(|tap| (first - 1 + tap as i64).clamp(0, last) as usize * 3);
            (taps, cubic_weights(fraction))
        })
        .collect();
    let stride = image.width() as usize * 3;
    let source = image.as_raw();
    let blend_row = |row: i64| -> Vec<f32> {
        let row = row.clamp(0, i64::from(image.height()) - 1) as usize;
        let row = &source[row * stride..][..stride];
        let mut out = Vec::with_capacity(columns.len() * 3);
        for (taps, weights) in &columns {
            for channel in 0..3 {
                out.push(weighted(taps.map(|tap| f32::from(row[tap + channel])), weights));
            }
        }
        out
    };
    let mut out = vec![0; width as usize * 3 * height as usize];
    out.par_chunks_exact_mut(width as usize * 3).enumerate().for_each(|(y, out)| {
        let (first, fraction) = cubic_axis(y as u32, image.height(), height);
        let weights = cubic_weights(fraction);
        let rows: [Vec<f32>; 4] = std::array::from_fn(|tap| blend_row(first - 1 + tap as i64));
        for (at, out) in out.iter_mut().enumerate() {
            let sum = weighted(std::array::from_fn(|tap| rows[tap][at]), &weights);
            *out = sum.round_ties_even().clamp(0.0, 255.0) as u8;
        }
    });
    out
}

/// `INTER_AREA` when shrinking.
mod area {
    use super::*;

    pub(super) fn shrink(image: &Frame, width: u32, height: u32) -> Vec<u8> {
        if image.width().is_multiple_of(width) && image.height().is_multiple_of(height) {
            return blocks(image, width, height);
        }
        fractions(image, width, height)
    }

    /// Whole blocks: an integer sum.
    fn blocks(image: &Frame, width: u32, height: u32) -> Vec<u8> {
        let (across, down) = (image.width() / width, image.height() / height);
        let scale = 1.0 / (across * down) as f32;
        let mut out = Vec::with_capacity(width as usize * height as usize * 3);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0_u32; 3];
                for row in 0..down {
                    for column in 0..across {
                        let pixel = image.get_pixel(x * across + column, y * down + row).0;
                        sum = std::array::from_fn(|channel| sum[channel] + u32::from(pixel[channel]));
                    }
                }
                out.extend(sum.map(|sum| {
                    if across == 2 && down == 2 {
                        ((sum + 2) >> 2) as u8
                    } else {
                        (sum as f32 * scale).round_ties_even() as u8
                    }
                }));
            }
        }
        out
    }

    /// Share of a source pixel in an output pixel.
    struct Share {
        source: usize,
        weight: f32,
    }

    /// Shares of every output position along one axis (`computeResizeAreaTab`).
    fn shares(from: u32, to: u32) -> Vec<Vec<Share>> {
        let scale = 1.0 / (f64::from(to) / f64::from(from));
        (0..to)
            .map(|position| {
                let start = f64::from(position) * scale;
                let end = start + scale;
                let cell = scale.min(f64::from(from) - start);
                let last = (end.floor() as i64).min(i64::from(from) - 1);
                let first = (start.ceil() as i64).min(last);
                let mut shares = Vec::new();
                if first as f64 - start > 1e-3 {
                    shares.push(Share { source: first as usize - 1, weight: ((first as f64 - start) / cell) as f32 });
                }
                shares.extend((first..last).map(|at| Share { source: at as usize, weight: (1.0 / cell) as f32 }));
                if end - last as f64 > 1e-3 {
                    let share = (end - last as f64).min(1.0).min(cell) / cell;
                    shares.push(Share { source: last as usize, weight: share as f32 });
                }
                shares
            })
            .collect()
    }

    fn fractions(image: &Frame, width: u32, height: u32) -> Vec<u8> {
        let columns = shares(image.width(), width);
        let rows = shares(image.height(), height);
        let stride = image.width() as usize * 3;
        let source = image.as_raw();
        let mut out = vec![0; width as usize * 3 * height as usize];
        out.par_chunks_exact_mut(width as usize * 3).zip(rows.par_iter()).for_each(|(out, rows)| {
            let mut sum = vec![0_f32; out.len()];
            for share in rows {
                let row = &source[share.source * stride..][..stride];
                for (sum, columns) in sum.chunks_exact_mut(3).zip(&columns) {
                    let mut across = [0_f32; 3];
                    for column in columns {
                        for channel in 0..3 {
                            across[channel] += f32::from(row[column.source * 3 + channel]) * column.weight;
                        }
                    }
                    for channel in 0..3 {
                        sum[channel] += share.weight * across[channel];
                    }
                }
            }
            for (out, sum) in out.iter_mut().zip(&sum) {
                *out = sum.round_ties_even().clamp(0.0, 255.0) as u8;
            }
        });
        out
    }
}
