//! Structural similarity.

use skyreels_core::Frame;

use super::picture::check_pair;
use super::temporal::grey;
use crate::{Error, Result};

/// Side and deviation of the Gaussian window.
const WINDOW: usize = 11;
const DEVIATION: f64 = 1.5;
/// `(K1 L)^2` and `(K2 L)^2` for values in 0..1.
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;
/// Exponents of the five scales.
const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// Least side of a picture for [`ssim`], in pixels: one window.
pub const SSIM_LEAST_SIDE: u32 = WINDOW as u32;
/// Least side of a picture for [`ms_ssim`], in pixels: one window on the coarsest scale.
pub const MS_SSIM_LEAST_SIDE: u32 = (WINDOW as u32) << (EXPONENTS.len() - 1);

/// Structural similarity of the grey values, -1 to 1: Wang et al., "Image Quality Assessment: From Error Visibility to Structural
/// Similarity" (2004), with their Gaussian window of 11 x 11, over the places where it lies wholly inside.
///
/// # Errors
/// [`Error::Mismatch`] for pictures of different sizes, [`Error::Invalid`] for sides below [`SSIM_LEAST_SIDE`].
pub fn ssim(result: &Frame, truth: &Frame) -> Result<f64> {
    let [a, b] = planes("SSIM", result, truth, SSIM_LEAST_SIDE)?;
    Ok(Similarity::of(&a, &b).whole)
}

/// Structural similarity over five scales: Wang et al., "Multiscale Structural Similarity for Image Quality Assessment" (2003).
///
/// Structure that is negatively correlated counts as 0, since its power is not a number.
///
/// # Errors
/// [`Error::Mismatch`] for pictures of different sizes, [`Error::Invalid`] for sides below [`MS_SSIM_LEAST_SIDE`].
pub fn ms_ssim(result: &Frame, truth: &Frame) -> Result<f64> {
    let [mut a, mut b] = planes("MS-SSIM", result, truth, MS_SSIM_LEAST_SIDE)?;
    let mut product = 1.0;
    for (level, exponent) in EXPONENTS.into_iter().enumerate() {
        let similarity = Similarity::of(&a, &b);
        let last = level + 1 == EXPONENTS.len();
        product *= if last { similarity.whole } else { similarity.structure }.max(0.0).powf(exponent);
        if !last {
            (a, b) = (a.halved(), b.halved());
        }
    }
    Ok(product)
}

fn planes(what: &'static str, result: &Frame, truth: &Frame, least: u32) -> Result<[Plane; 2]> {
    check_pair(what, result, truth)?;
    let (width, height) = result.dimensions();
    if width.min(height) < least {
        let reason = format!("a picture of {width}x{height} pixels; both sides must have at least {least}");
        return Err(Error::invalid(what, reason));
    }
    Ok([result, truth]
        .map(|picture| Plane { width: width as usize, values: grey(picture).into_iter().map(f64::from).collect() }))
}

/// Means over all windows.
struct Similarity {
    /// Luminance, contrast and structure.
    whole: f64,
    /// Contrast and structure.
    structure: f64,
}

impl Similarity {
    fn of(a: &Plane, b: &Plane) -> Self {
        let product = |a: &Plane, b: &Plane| Plane {
            width: a.width,
            values: a.values.iter().zip(&b.values).map(|(a, b)| a * b).collect(),
        };
        let [mean_a, mean_b] = [a.blurred(), b.blurred()];
        let [aa, bb, ab] = [product(a, a).blurred(), product(b, b).blurred(), product(a, b).blurred()];
        let (mut whole, mut structure) = (0.0, 0.0);
        for i in 0..mean_a.values.len() {
            let (ma, mb) = (mean_a.values[i], mean_b.values[i]);
            let (va, vb, cov) = (aa.values[i] - ma * ma, bb.values[i] - mb * mb, ab.values[i] - ma * mb);
            let contrast = (2.0 * cov + C2) / (va + vb + C2);
            structure += contrast;
            whole += contrast * (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1);
        }
        let count = mean_a.values.len() as f64;
        Self { whole: whole / count, structure: structure / count }
    }
}

/// Values of one channel.
struct Plane {
    width: usize,
    values: Vec<f64>,
}

impl Plane {
    /// The Gaussian mean at every place whose window lies inside.
    fn blurred(&self) -> Self {
        let weights = window();
        let across: Vec<f64> =
            self.values.chunks(self.width).flat_map(|row| row.windows(WINDOW).map(|w| dot(w, &weights))).collect();
        let width = self.width - WINDOW + 1;
        let rows = across.len() / width - WINDOW + 1;
        let mut values = vec![0.0; rows * width];
        for (row, out) in values.chunks_mut(width).enumerate() {
            for (step, weight) in weights.iter().enumerate() {
                let from = &across[(row + step) * width..][..width];
                out.iter_mut().zip(from).for_each(|(out, value)| *out += weight * value);
            }
        }
        Self { width, values }
    }

    /// The means of 2 x 2 places; an odd last row or column is left out.
    fn halved(&self) -> Self {
        let width = self.width / 2;
        let rows = self.values.len() / self.width / 2;
        let at = |row: usize, column: usize| self.values[row * self.width + column];
        let mean = |i: usize| {
            let (row, column) = (i / width * 2, i % width * 2);
            (at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1)) / 4.0
        };
        Self { width, values: (0..rows * width).map(mean).collect() }
    }
}

fn dot(values: &[f64], weights: &[f64; WINDOW]) -> f64 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

fn window() -> [f64; WINDOW] {
    let middle = (WINDOW / 2) as f64;
    let weights: [f64; WINDOW] = std::array::from_fn(|i| (-((i as f64 - middle) / DEVIATION).powi(2) / 2.0).exp());
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}
