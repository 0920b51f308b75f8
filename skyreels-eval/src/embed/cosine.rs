//! Angles between embeddings.

use crate::{Error, Result};

/// The embedding at unit length, in double precision.
///
/// # Errors
/// [`Error::NotFinite`] for an embedding without a direction: all zero, or with a number that is not finite.
pub fn normalised(embedding: &[f32]) -> Result<Vec<f64>> {
    let length = embedding.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(Error::not_finite("face embedding", format!("its length, {length},")));
    }
    Ok(embedding.iter().map(|value| f64::from(*value) / length).collect())
}

/// The cosine of the angle between two embeddings, -1 to 1: 1 for the same direction.
///
/// # Errors
/// [`Error::Mismatch`] for embeddings of different lengths, [`Error::NotFinite`] for one without a direction.
pub fn cosine(a: &[f32], b: &[f32]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::mismatch("face embeddings", a.len(), b.len()));
    }
    let (a, b) = (normalised(a)?, normalised(b)?);
    Ok(a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>().clamp(-1.0, 1.0))
}
