//! What clips are to be like, and which of many machines prepares what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skyreels_core::Limits;
use skyreels_core::media::FrameRate;

use crate::{Error, Result};

/// What clips are to be like. Part of every source's record: sources prepared otherwise are prepared again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Width and height of the frames; multiples of 16.
    pub size: [u32; 2],
    /// Frames of a clip, `8 k + 1`.
    pub frames: usize,
    /// Frames per second.
    pub rate: u32,
    /// Most clips that are kept of one video.
    pub clips_per_source: usize,
    /// Clips in one shard: so many are in memory at a time.
    pub clips_per_shard: usize,
    /// Seed by which the frame is drawn that shows who it is.
    pub seed: u64,
    /// How different two frames are at a cut, 0 to 1; see [`CutDetector`](super::CutDetector).
    pub cut: f32,
    /// When a clip shows one face.
    pub faces: FaceRules,
}

/// When a clip shows one face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FaceRules {
    /// Share of the frames that may show no face; motion is interpolated there. The first frame must show it.
    pub missing: f32,
    /// Share of the frames that may show more than one.
    pub crowded: f32,
    /// Least height of the face, as a share of the frame's.
    pub smallest: f32,
    /// Most degrees that a head turns from one frame to the next: beyond it tracking has failed.
    pub fastest: f32,
}

impl Default for FaceRules {
    fn default() -> Self {
        Self { missing: 0.1, crowded: 0.0, smallest: 0.15, fastest: 45.0 }
    }
}

impl Default for Settings {
    /// The published model's size, length and rate.
    fn default() -> Self {
        Self {
            size: [720, 480],
            frames: 49,
            rate: 12,
            clips_per_source: usize::MAX,
            clips_per_shard: 4,
            seed: 0,
            cut: CUT,
            faces: FaceRules::default(),
        }
    }
}

/// Frames of rendered performances differ by up to 0.012 at 12 frames per second, other people by 0.12 and more.
const CUT: f32 = 0.06;
/// Sides are multiples of this: the VAE's squares of 8 in patches of 2.
const SIDE: u32 = 16;
/// Frames beside the first come in so many: two steps of the VAE's four.
const CHUNK: usize = 8;

impl Settings {
    /// Refuses what no model can use.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the setting and what is accepted.
    pub fn validate(&self) -> Result<()> {
        let invalid = |what, reason| Err(Error::Invalid { what, reason });
        let most = Limits::default().max_side;
        if self.size.iter().any(|side| *side == 0 || side % SIDE != 0 || *side > most) {
            let [width, height] = self.size;
            return invalid("size", format!("{height}x{width} has a side that is no multiple of {SIDE} up to {most}"));
        }
        if self.frames <= CHUNK || self.frames % CHUNK != 1 {
            return invalid("frames", format!("{} is not 9, 17, 25, ... (a multiple of {CHUNK} plus 1)", self.frames));
        }
        if self.rate == 0 || self.clips_per_source == 0 || self.clips_per_shard == 0 {
            return invalid("settings", "rate, clips of a source and clips of a shard are at least 1".into());
        }
        let FaceRules { missing, crowded, smallest, fastest } = self.faces;
        let shares = [("share of frames without a face", missing), ("share of frames with several", crowded)];
        let shares =
            shares.into_iter().chain([("least height of a face", smallest), ("difference at a cut", self.cut)]);
        for (what, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return invalid(what, format!("{share} is not between 0 and 1"));
            }
        }
        if fastest > 0.0 { Ok(()) } else { invalid("fastest turn", format!("{fastest} is not above 0 degrees")) }
    }

    pub(super) fn frame_rate(&self) -> Result<FrameRate> {
        Ok(FrameRate::new(self.rate.into(), 1)?)
    }
}

/// Which of `of` machines this is, from 0: it prepares every `of`th video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its number.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Share {
    /// All of it.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether the video of this number is this machine's.
    pub fn holds(&self, video: usize) -> bool {
        video % self.of == self.index
    }
}

impl FromStr for Share {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((index, of)) if index < of => Ok(Self { index, of }),
            _ => {
                let reason = format!("`{text}` is not a number from 0 and how many there are, for example 0/4");
                Err(Error::Invalid { what: "shard", reason })
            }
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
