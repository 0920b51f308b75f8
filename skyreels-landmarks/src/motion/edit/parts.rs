//! The single controls, and how they are written in JSON and on a command line.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the motion's time, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trim {
    /// The first instant that stays.
    #[serde(default)]
    pub start: f64,
    /// The instant before which it ends; the end of the motion where there is none.
    #[serde(default)]
    pub end: Option<f64>,
}

/// Weights of the newest frame in a running mean that goes forwards and back again, so that nothing comes late: above 0
/// and up to 1, where 1 changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmoothingWeights {
    /// Of displacements, scores and openings.
    pub expression: f64,
    /// Of rotation and place. (The retargeter smooths rotations on its own, as the original does.)
    pub pose: f64,
}

impl Default for SmoothingWeights {
    fn default() -> Self {
        Self { expression: 1.0, pose: 1.0 }
    }
}

/// Which frame's expression the portrait is taken to show at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neutral {
    /// What the motion says: its first frame, unless it was edited.
    #[default]
    Keep,
    /// The seen frame with the least expression, for clips that begin with an open mouth. The pose is not touched.
    MostNeutral,
    /// This one, counted after trimming; expression only.
    Frame(usize),
}

/// A part of what moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// Everything.
    All,
    /// The whole face, the head's pose aside.
    Expression,
    /// The head's rotation and place.
    Pose,
    /// Both edges of the lips. (Of FLAME: expression coefficients and jaw, which cannot be told apart further.)
    Lips,
    /// Lids and irises. (Of FLAME: eyelids and eyes.)
    Eyes,
}

/// Turns of the head about its own axes, in degrees, after everything the driver does.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoseOffset {
    /// To the person's left (the right of the picture).
    pub yaw: f64,
    /// Up.
    pub pitch: f64,
    /// Towards the person's left shoulder.
    pub roll: f64,
}

/// How far eyes or lips of the portrait shall be open, whatever it shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aperture {
    /// As far as the driver's, in shares of the width.
    Driver,
    /// This far: gap over width of eye or mouth. Open eyes have about 0.3.
    Ratio(f64),
}

/// Another speed, rate or length; first and last frame stay what they are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retime {
    /// Times as fast.
    pub speed: f64,
    /// Frames per second; the motion's own where there is none.
    pub rate: Option<f64>,
    /// This many frames, whatever the speed.
    pub frames: Option<usize>,
}

impl Default for Retime {
    fn default() -> Self {
        Self { speed: 1.0, rate: None, frames: None }
    }
}

/// How a motion goes on after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepeatMode {
    /// From the beginning again: `n` frames `times` times.
    Loop,
    /// There and back `times` times, ending where it began: `2 (n - 1) times + 1` frames; the turning points come once.
    PingPong,
}

/// A motion several times over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// In which way.
    pub mode: RepeatMode,
    /// How often, at least once.
    pub times: usize,
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is not a number"))
}

impl FromStr for Trim {
    type Err = String;

    /// `START:END` in seconds; either may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let (start, end) = text.split_once(':').ok_or("write it as START:END in seconds, for example 0.5:2 or 1:")?;
        Ok(Self {
            start: if start.is_empty() { 0.0 } else { number(start)? },
            end: if end.is_empty() { None } else { Some(number(end)?) },
        })
    }
}

impl FromStr for Neutral {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "most-neutral" => Ok(Self::MostNeutral),
            other => match other.parse() {
                Ok(index) => Ok(Self::Frame(index)),
                Err(_) => Err(format!("`{other}` is neither keep, most-neutral nor the number of a frame")),
            },
        }
    }
}

impl FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "expression" | "exp" => Ok(Self::Expression),
            "pose" => Ok(Self::Pose),
            "lips" | "lip" => Ok(Self::Lips),
            "eyes" => Ok(Self::Eyes),
            other => Err(format!("`{other}` is none of all, expression, pose, lips, eyes")),
        }
    }
}

impl FromStr for Aperture {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "driver" => Ok(Self::Driver),
            other => Ok(Self::Ratio(number(other).map_err(|_| format!("`{other}` is neither driver nor a ratio"))?)),
        }
    }
}

impl FromStr for Repeat {
    type Err = String;

    /// `loop:TIMES` or `ping-pong:TIMES`; twice and once where the number is left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mode, times) = text.split_once(':').map_or((text, None), |(mode, times)| (mode, Some(times)));
        let (mode, usual) = match mode {
            "loop" => (RepeatMode::Loop, 2),
            "ping-pong" => (RepeatMode::PingPong, 1),
            other => return Err(format!("`{other}` is neither loop nor ping-pong")),
        };
        let times = times.map_or(Ok(usual), |times| times.parse().map_err(|_| format!("`{times}` is not a number")))?;
        Ok(Self { mode, times })
    }
}
