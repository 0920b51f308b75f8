//! Motion: what a performance does, without who performs it.

pub(crate) mod anatomy;
mod edit;
mod file;
mod flame;
mod frame;
mod gather;
mod live;
mod pick;
mod proportions;
pub(crate) mod rotation;
pub(crate) mod sliders;

pub use edit::{
    Aperture, MAX_MULTIPLIER, MotionEdit, Neutral, PoseOffset, Region, Repeat, RepeatMode, Retime, SmoothingWeights,
    Trim,
};
pub use file::{MeshPrecision, SaveOptions};
pub use flame::{EYE_POINTS, FLAME_EXPRESSION, FLAME_SHAPE, FlameFrame};
pub use frame::{Apertures, MotionFrame, State};
pub use gather::Gathered;
pub use live::LiveMotion;
pub use pick::{FaceFollower, FacePick};
pub use proportions::{Openness, Proportions};
pub use rotation::SMOOTHING;
pub use sliders::slider_names;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};
use frame::{MAX_DISTANCE, check};

/// What the expressions of a motion mean to a portrait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExpressionMode {
    /// They are added to the portrait's own: it shows its own face where the driver rests.
    #[default]
    Relative,
    /// They replace the portrait's own: where the driver smiles, it smiles no more and no less, as far as the
    /// expression scores of both tell.
    Absolute,
}

/// Motion of a clip: pose and expression of one head over time.
///
/// It holds no pixels and no shape of a face: expressions are displacements, on the scale of the canonical head
/// to which every face is fitted. Of the driver only a few [`Proportions`] are kept, so that a smile is as wide on a
/// narrow face as on a broad one; FLAME's shape coefficients only where somebody put them in.
///
/// The number of frames is that of the video, whether or not there was a face.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    rate: f64,
    proportions: Proportions,
    frames: Vec<MotionFrame>,
    /// What the portrait is taken to show; the first frame where there is none.
    rest: Option<Box<MotionFrame>>,
    mode: ExpressionMode,
    shape: Option<Vec<f32>>,
}

/// How many frames of a motion come from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Frames with a face.
    pub seen: usize,
    /// Frames at the ends without one.
    pub held: usize,
    /// Frames in between without one.
    pub interpolated: usize,
}

/// Largest frame rate that makes sense, in frames per second.
const MAX_RATE: f64 = 1000.0;
/// No shape coefficient of a face comes near this.
const MAX_SHAPE: f32 = 1e3;

impl Motion {
    /// Puts a motion together.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the frame and the quantity when a number is not finite, a rotation is none, a frame
    /// has not 478 points, some frames have FLAME coefficients and some have not, there is no frame, or the rate is not
    /// between 0 and 1000.
    pub fn new(rate: f64, proportions: Proportions, mut frames: Vec<MotionFrame>) -> Result<Self> {
        check_rate(rate)?;
        if frames.is_empty() {
            return Err(Error::invalid("motion", "there is no frame; a motion needs at least one"));
        }
        if proportions.to_array().iter().any(|size| !(0.0..MAX_DISTANCE).contains(size)) {
            return Err(Error::invalid("motion", format!("the proportions {proportions:?} are none of a face")));
        }
        let flame = flame_parts(&frames[0]);
        for (index, frame) in frames.iter_mut().enumerate() {
            check(frame).map_err(|reason| Error::invalid("motion", format!("frame {index}: {reason}")))?;
            if flame_parts(frame) != flame {
                let reason = format!("frame {index}: FLAME coefficients and eyes must be in every frame or in none");
                return Err(Error::invalid("motion", reason));
            }
        }
        Ok(Self { rate, proportions, frames, rest: None, mode: ExpressionMode::Relative, shape: None })
    }

    /// Frames per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Length in seconds, each frame lasting as long as the others.
    pub fn seconds(&self) -> f64 {
        self.frames.len() as f64 / self.rate
    }

    /// Sizes of the driver's face in the reference frame.
    pub fn proportions(&self) -> &Proportions {
        &self.proportions
    }

    /// All frames in order; at least one.
    pub fn frames(&self) -> &[MotionFrame] {
        &self.frames
    }

    /// What the portrait is taken to show: retargeters carry over what differs from it. The first frame, unless the
    /// motion was edited or says otherwise.
    pub fn rest(&self) -> &MotionFrame {
        self.rest.as_deref().unwrap_or(&self.frames[0])
    }

    /// True when the rest is not simply the first frame.
    pub fn has_own_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// The same motion with another rest.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the rest is no frame, or has FLAME coefficients and the motion has not, or the other way.
    pub fn with_rest(mut self, mut rest: MotionFrame) -> Result<Self> {
        check(&mut rest).map_err(|reason| Error::invalid("motion", format!("rest: {reason}")))?;
        if flame_parts(&rest) != flame_parts(&self.frames[0]) {
            return Err(Error::invalid("motion", "rest and frames must both have FLAME coefficients or both none"));
        }
        self.rest = Some(Box::new(rest));
        Ok(self)
    }

    /// What its expressions mean to a portrait.
    pub fn expression_mode(&self) -> ExpressionMode {
        self.mode
    }

    /// The same motion with another meaning of its expressions.
    #[must_use]
    pub fn with_expression_mode(mut self, mode: ExpressionMode) -> Self {
        self.mode = mode;
        self
    }

    /// FLAME's shape coefficients of the driver, where somebody put them in: they tell who the driver is.
    pub fn flame_shape(&self) -> Option<&[f32]> {
        self.shape.as_deref()
    }

    /// The same motion with the driver's FLAME shape, or without.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless there are [`FLAME_SHAPE`] finite coefficients.
    pub fn with_flame_shape(mut self, shape: Option<Vec<f32>>) -> Result<Self> {
        if let Some(shape) = &shape
            && (shape.len() != FLAME_SHAPE || shape.iter().any(|v| v.is_nan() || v.abs() > MAX_SHAPE))
        {
            let reason = format!("{} numbers instead of {FLAME_SHAPE} finite ones", shape.len());
            return Err(Error::invalid("FLAME shape", reason));
        }
        self.shape = shape;
        Ok(self)
    }

    /// How many frames were seen, held and interpolated.
    pub fn counts(&self) -> Counts {
        let count = |state| self.frames.iter().filter(|frame| frame.state == state).count();
        Counts { seen: count(State::Seen), held: count(State::Held), interpolated: count(State::Interpolated) }
    }

    /// The seen frame with the least expression, gaze left aside; the first of equals.
    pub fn most_neutral(&self) -> usize {
        let expressive = |frame: &MotionFrame| {
            let named = crate::BLENDSHAPE_NAMES.iter().zip(frame.blendshapes);
            named.filter(|(name, _)| !name.starts_with("eyeLook") && **name != "_neutral").map(|(_, v)| v).sum::<f32>()
        };
        let seen = self.frames.iter().enumerate().filter(|(_, frame)| frame.state == State::Seen);
        seen.min_by(|(_, a), (_, b)| expressive(a).total_cmp(&expressive(b))).map_or(0, |(index, _)| index)
    }

    /// The first frames only; `None` unless there are at least `count` and `count` is not 0.
    pub fn first(&self, count: usize) -> Option<Self> {
        let frames = self.frames.get(..count).filter(|frames| !frames.is_empty())?.to_vec();
        Some(Self { frames, ..self.clone_without_frames() })
    }

    /// The frames of the given numbers at another rate; rest, mode and shape stay.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no number, a frame is not there, or the rate is none.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>, rate: f64) -> Result<Self> {
        check_rate(rate)?;
        let count = self.frames.len();
        let frame = |index: usize| {
            let missing = || Error::invalid("motion", format!("frame {index} of {count} frames"));
            self.frames.get(index).cloned().ok_or_else(missing)
        };
        let frames = indices.into_iter().map(frame).collect::<Result<Vec<_>>>()?;
        if frames.is_empty() {
            return Err(Error::invalid("motion", "no frame is chosen; a motion needs at least one"));
        }
        Ok(Self { rate, frames, ..self.clone_without_frames() })
    }

    /// The same motion with other frames at another rate.
    fn with_frames(mut self, rate: f64, frames: Vec<MotionFrame>) -> Result<Self> {
        check_rate(rate)?;
        (self.rate, self.frames) = (rate, frames);
        Ok(self)
    }

    fn clone_without_frames(&self) -> Self {
        Self { frames: Vec::new(), rest: self.rest.clone(), shape: self.shape.clone(), ..*self }
    }
}

/// Which of FLAME's parts a frame has: coefficients, eyes.
fn flame_parts(frame: &MotionFrame) -> [bool; 2] {
    [frame.flame.is_some(), frame.flame.as_ref().is_some_and(|flame| flame.eyes.is_some())]
}

fn check_rate(rate: f64) -> Result<()> {
    if rate > 0.0 && rate <= MAX_RATE {
        return Ok(());
    }
    Err(Error::invalid("frame rate", format!("{rate} is not between 0 and {MAX_RATE}")))
}
