//! `PIL.Image.resize` (Pillow, `src/libImaging/Resample.c`), bit for bit.

use std::f64::consts::PI;

use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Frame, Result};

/// Fraction bits of a weight: 32, less 8 of a sample and 2 for overshoot.
const PRECISION_BITS: u32 = 22;

/// Resampling filter of Pillow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Mean of the covered pixels.
    Box,
    /// Triangle.
    Bilinear,
    /// Keys' cubic with a = -0.5: Pillow's default for RGB, used by the original for the canvas and for SigLIP.
    Bicubic,
    /// Sinc with three lobes: what the original's video processor uses.
    Lanczos,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        match self {
            Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => match x.abs() {
                x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
                x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
                _ => 0.0,
            },
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

/// Resizes as Pillow does: horizontally, then vertically, each pass rounded to 8 bits.
///
/// # Shapes
/// Any non-empty picture to `[height, width, 3]`.
///
/// # Errors
/// [`Error::Invalid`] when a side is zero.
pub fn resize_pillow(image: &Frame, width: u32, height: u32, filter: Filter) -> Result<Frame> {
    if width == 0 || height == 0 || image.width() == 0 || image.height() == 0 {
        let (from_width, from_height) = image.dimensions();
        let reason = format!("{from_width}x{from_height} cannot become {width}x{height}");
        return Err(Error::invalid("size", reason));
    }
    let mut current = std::borrow::Cow::Borrowed(image);
    if width != image.width() {
        current = std::borrow::Cow::Owned(horizontal(&current, width, filter));
    }
    if height != image.height() {
        current = std::borrow::Cow::Owned(vertical(&current, height, filter));
    }
    Ok(current.into_owned())
}

/// Which pixels make one output pixel, and how much of each.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Taps of every output position along one axis (`precompute_coeffs`, `normalize_coeffs_8bpc`).
fn taps(from: u32, to: u32, filter: Filter) -> Vec<Taps> {
    let scale = f64::from(from) / f64::from(to);
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    let inverse = 1.0 / filter_scale;
    (0..to)
        .map(|position| {
            let centre = (f64::from(position) + 0.5) * scale;
            // Truncation towards zero, as in C; negative starts are clipped anyway.
            let first = ((centre - support + 0.5) as i64).max(0);
            let end = ((centre + support + 0.5) as i64).min(i64::from(from));
            let weights: Vec<f64> =
                (first..end).map(|tap| filter.weight((tap as f64 - centre + 0.5) * inverse)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| {
                let weight = if sum == 0.0 { *weight } else { *weight / sum } * f64::from(1 << PRECISION_BITS);
                (if weight < 0.0 { weight - 0.5 } else { weight + 0.5 }) as i32
            };
            Taps { first: first as usize, weights: weights.iter().map(fixed).collect() }
        })
        .collect()
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

fn horizontal(image: &Frame, width: u32, filter: Filter) -> Frame {
    let taps = taps(image.width(), width, filter);
    let (from, to) = (image.width() as usize * 3, width as usize * 3);
    let mut out = vec![0; to * image.height() as usize];
    out.par_chunks_exact_mut(to).zip(image.as_raw().par_chunks_exact(from)).for_each(|(out, row)| {
        for (pixel, taps) in out.chunks_exact_mut(3).zip(&taps) {
            let mut sum = [HALF; 3];
            for (source, weight) in row[taps.first * 3..].chunks_exact(3).zip(&taps.weights) {
                for channel in 0..3 {
                    sum[channel] = sum[channel].wrapping_add(i32::from(source[channel]) * weight);
                }
            }
            pixel.copy_from_slice(&sum.map(clip));
        }
    });
    RgbImage::from_raw(width, image.height(), out).expect("three bytes per pixel were allocated")
}

fn vertical(image: &Frame, height: u32, filter: Filter) -> Frame {
    let taps = taps(image.height(), height, filter);
    let stride = image.width() as usize * 3;
    let source = image.as_raw();
    let mut out = vec![0; stride * height as usize];
    out.par_chunks_exact_mut(stride).zip(taps.par_iter()).for_each(|(out, taps)| {
        let mut sums = vec![HALF; stride];
        for (row, weight) in source[taps.first * stride..].chunks_exact(stride).zip(&taps.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(i32::from(*value) * weight);
            }
        }
        for (out, sum) in out.iter_mut().zip(&sums) {
            *out = clip(*sum);
        }
    });
    RgbImage::from_raw(image.width(), height, out).expect("three bytes per pixel were allocated")
}
