//! How near a picture is to the true one.

use skyreels_core::Frame;

use crate::{Error, Result};

const WHITE: f64 = 255.0;

/// Peak signal-to-noise ratio in decibels over all channels; infinite for equal pictures.
///
/// # Errors
/// [`Error::Mismatch`] for pictures of different sizes, [`Error::Empty`] for pictures without pixels.
pub fn psnr(result: &Frame, truth: &Frame) -> Result<f64> {
    check_pair("PSNR", result, truth)?;
    let squares = result.as_raw().iter().zip(truth.as_raw()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let error = squares.sum::<f64>() / result.as_raw().len() as f64;
    Ok(10.0 * (WHITE * WHITE / error).log10())
}

/// Refuses pictures that cannot be compared.
pub(super) fn check_pair(what: &str, result: &Frame, truth: &Frame) -> Result<()> {
    if result.dimensions() != truth.dimensions() {
        let pixels = |frame: &Frame| format!("{}x{} pixels", frame.width(), frame.height());
        return Err(Error::mismatch(what, pixels(result), pixels(truth)));
    }
    if result.as_raw().is_empty() {
        return Err(Error::empty(what, "the pictures have no pixels"));
    }
    Ok(())
}
