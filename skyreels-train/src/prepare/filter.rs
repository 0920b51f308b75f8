//! What is rejected, and why.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skyreels_landmarks::{Face, HeadAngles};

use super::measure::{Distribution, Measure};
use super::settings::FaceRules;
use crate::{Error, Result};

/// Why something is not in the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The video, or the rest of it, cannot be read.
    Unreadable,
    /// The shot, or what is left of it, has fewer frames than a clip.
    Short,
    /// Too many frames show no face, or the first one does.
    NoFace,
    /// Too many frames show several faces.
    SeveralFaces,
    /// The face is too small.
    SmallFace,
    /// Two faces take turns, or tracking jumps.
    Unsteady,
    /// The head hardly turns.
    StillHead,
    /// The mouth hardly moves.
    StillMouth,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "unreadable",
            Self::Short => "short",
            Self::NoFace => "no-face",
            Self::SeveralFaces => "several-faces",
            Self::SmallFace => "small-face",
            Self::Unsteady => "unsteady",
            Self::StillHead => "still-head",
            Self::StillMouth => "still-mouth",
        })
    }
}

/// Why a clip is rejected, with the numbers.
pub(super) type Rejection = (Reason, String);

impl FaceRules {
    /// The face of each frame, where the frames show one face.
    pub(super) fn single<'a>(&self, frames: &'a [Vec<Face>]) -> std::result::Result<Vec<Option<&'a Face>>, Rejection> {
        let share = |count: usize| count as f32 / frames.len().max(1) as f32;
        let count = |test: fn(usize) -> bool| frames.iter().filter(|faces| test(faces.len())).count();
        let (missing, crowded) = (count(|faces| faces == 0), count(|faces| faces > 1));
        if share(missing) > self.missing || frames.first().is_none_or(Vec::is_empty) {
            return Err((Reason::NoFace, format!("{missing} of {} frames show none", frames.len())));
        }
        if share(crowded) > self.crowded {
            return Err((Reason::SeveralFaces, format!("{crowded} of {} frames show more than one", frames.len())));
        }
        // Where a few frames may show more than one, it is the one who was there at first.
        let first = frames[0][0].id;
        let faces: Vec<Option<&Face>> =
            frames.iter().map(|faces| faces.iter().find(|face| face.id == first).or(faces.first())).collect();
        let seen: Vec<&Face> = faces.iter().flatten().copied().collect();
        if seen.iter().any(|face| face.id != first) {
            return Err((Reason::Unsteady, "it is not the same face throughout".into()));
        }
        let smallest = seen.iter().map(|face| face.bbox[3] - face.bbox[1]).fold(f32::INFINITY, f32::min);
        if smallest < self.smallest {
            return Err((Reason::SmallFace, format!("it is {:.1} % of the frame's height", 100.0 * smallest)));
        }
        let fastest = seen.windows(2).map(|pair| turned(pair[0].angles(), pair[1].angles())).fold(0.0, f32::max);
        if fastest > self.fastest {
            return Err((
                Reason::Unsteady,
                format!("the head turns by {fastest:.0} degrees from one frame to the next"),
            ));
        }
        Ok(faces)
    }
}

/// Degrees between two orientations of a head.
fn turned(a: HeadAngles, b: HeadAngles) -> f32 {
    let product: f32 = a.rotation().as_flattened().iter().zip(b.rotation().as_flattened()).map(|(a, b)| a * b).sum();
    ((product - 1.0) / 2.0).clamp(-1.0, 1.0).acos().to_degrees()
}

/// Least motion of a clip: a number, or a share of all clips that is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// In the measure's unit.
    Value(f32),
    /// This share of all clips, 0 to 1 and rounded down to whole ones, moves less.
    Quantile(f64),
}

impl Threshold {
    /// The number that it comes to for measured clips.
    pub fn of(&self, measured: &Distribution) -> f32 {
        match self {
            Self::Value(value) => *value,
            Self::Quantile(share) => measured.least_beyond(*share),
        }
    }
}

impl FromStr for Threshold {
    type Err = Error;

    /// A number, or a percentage of the clips.
    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| *number >= 0.0 && number.is_finite());
        let threshold = match text.strip_suffix('%') {
            Some(share) => number(share).filter(|share| *share <= 100.0).map(|share| Self::Quantile(share / 100.0)),
            None => number(text).map(|value| Self::Value(value as f32)),
        };
        let reason = || format!("`{text}` is neither a number nor a share of the clips such as 10%");
        threshold.ok_or_else(|| Error::Invalid { what: "threshold", reason: reason() })
    }
}

/// How much a clip has to move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotionRules {
    /// Least range of the head's angles, in degrees.
    pub head: Threshold,
    /// Least range of the gap between the lips, as a share of the mouth's width.
    pub mouth: Threshold,
}

impl Default for MotionRules {
    /// The tenth of the clips that turns least, and the tenth whose mouth moves least, are left out. (The paper filters by motion too,
    /// and does not say how strictly.)
    fn default() -> Self {
        Self { head: Threshold::Quantile(0.1), mouth: Threshold::Quantile(0.1) }
    }
}

/// The numbers that rules come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Least(pub(super) Measure);

impl Least {
    pub(super) fn check(&self, measure: &Measure) -> std::result::Result<(), Rejection> {
        let Measure { head, mouth } = self.0;
        if measure.head < head {
            return Err((Reason::StillHead, format!("{:.1} degrees, less than {head:.1}", measure.head)));
        }
        if measure.mouth < mouth {
            return Err((Reason::StillMouth, format!("{:.3} of its width, less than {mouth:.3}", measure.mouth)));
        }
        Ok(())
    }
}
