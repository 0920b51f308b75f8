//! Is it the same person?

use serde::{Deserialize, Serialize};

use crate::embed::cosine;
use crate::{Error, FrameScores, Result};

/// Likeness of a clip's face to a portrait's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdentityScore {
    /// Cosine of each frame's embedding with the portrait's, -1 to 1; `None` where no face was found.
    pub frames: Vec<Option<f64>>,
    /// Mean over the frames with a face; `None` when there is none.
    pub similarity: Option<f64>,
    /// Share of the frames with a face. A similarity without it hides the frames in which the face fell apart.
    pub detection_rate: f64,
    /// Mean over all frames, with 0 for those without a face: never above `similarity`.
    pub similarity_over_all: f64,
}

/// Compares the embeddings of a clip's frames with the portrait's. Negative cosines stay negative.
///
/// # Errors
/// [`Error::Empty`] without frames, and those of [`cosine`].
pub fn identity_score<R: AsRef<[f32]>>(portrait: &[f32], frames: &[Option<R>]) -> Result<IdentityScore> {
    if frames.is_empty() {
        return Err(Error::empty("identity of a clip without frames", "give a clip with frames"));
    }
    let compare = |frame: &Option<R>| frame.as_ref().map(|frame| cosine(portrait, frame.as_ref())).transpose();
    let frames = frames.iter().map(compare).collect::<Result<Vec<_>>>()?;
    let seen = frames.iter().flatten().count();
    let similarity = match seen {
        0 => None,
        _ => Some(FrameScores::new("identity", frames.clone())?.mean),
    };
    let over_all = frames.iter().flatten().sum::<f64>() / frames.len() as f64;
    let similarity_over_all = similarity.map_or(0.0, |similarity| over_all.min(similarity));
    let detection_rate = seen as f64 / frames.len() as f64;
    Ok(IdentityScore { frames, similarity, detection_rate, similarity_over_all })
}
