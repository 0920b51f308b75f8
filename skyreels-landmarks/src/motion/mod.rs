//! Motion: what a performance does, without who performs it.

mod file;
mod gather;
mod pick;
mod proportions;
pub(crate) mod rotation;

pub use gather::Gathered;
pub use pick::{FaceFollower, FacePick};
pub use proportions::{Openness, Proportions};
pub use rotation::SMOOTHING;

use crate::{BLENDSHAPES, Error, LANDMARKS, Result};

/// Where a frame's motion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A face was seen.
    Seen,
    /// No face before the first or after the last seen one: its motion is held.
    Held,
    /// No face between two seen ones: their motions are blended.
    Interpolated,
}

/// Motion of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionFrame {
    /// Where it comes from.
    pub state: State,
    /// Rotation of the head as a unit quaternion `w, x, y, z`; the identity faces the camera.
    pub rotation: [f32; 4],
    /// Place of the head's origin seen from the camera, in centimetres: right, up, backwards.
    pub translation: [f32; 3],
    /// Displacement of each of the 478 points from the reference, the first seen frame, in the canonical head's
    /// own frame, in centimetres: x to the person's left, y up, z out of the face. Irises included.
    pub expression: Vec<[f32; 3]>,
    /// Expression scores in 0..1, named by [`BLENDSHAPE_NAMES`](crate::BLENDSHAPE_NAMES).
    pub blendshapes: [f32; BLENDSHAPES],
    /// How far eyes and mouth are open.
    pub openness: Openness,
}

/// Motion of a clip: pose and expression of one head over time.
///
/// It holds no pixels and no shape of a face: expressions are displacements, on the scale of the canonical head
/// to which every face is fitted. Of the driver only a few [`Proportions`] are kept, so that a smile is as wide on a
/// narrow face as on a broad one.
///
/// The number of frames is that of the video, whether or not there was a face.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    rate: f64,
    proportions: Proportions,
    frames: Vec<MotionFrame>,
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
/// Nothing in a face or between it and the camera is farther than this, in centimetres.
const MAX_DISTANCE: f32 = 1e5;

impl Motion {
    /// Puts a motion together.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the frame and the quantity when a number is not finite, a rotation is none, a frame
    /// has not 478 points, there is no frame, or the rate is not between 0 and 1000.
    pub fn new(rate: f64, proportions: Proportions, mut frames: Vec<MotionFrame>) -> Result<Self> {
        if !(rate > 0.0 && rate <= MAX_RATE) {
            return Err(Error::invalid("frame rate", format!("{rate} is not between 0 and {MAX_RATE}")));
        }
        if frames.is_empty() {
            return Err(Error::invalid("motion", "there is no frame; a motion needs at least one"));
        }
        if proportions.to_array().iter().any(|size| !(0.0..MAX_DISTANCE).contains(size)) {
            return Err(Error::invalid("motion", format!("the proportions {proportions:?} are none of a face")));
        }
        for (index, frame) in frames.iter_mut().enumerate() {
            check(frame).map_err(|reason| Error::invalid("motion", format!("frame {index}: {reason}")))?;
        }
        Ok(Self { rate, proportions, frames })
    }

    /// Frames per second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Sizes of the driver's face in the reference frame.
    pub fn proportions(&self) -> &Proportions {
        &self.proportions
    }

    /// All frames in order; at least one.
    pub fn frames(&self) -> &[MotionFrame] {
        &self.frames
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
        Some(Self { frames, ..*self })
    }
}

/// Says what is wrong with a frame; brings its rotation to exact unit length.
fn check(frame: &mut MotionFrame) -> Result<(), String> {
    if frame.expression.len() != LANDMARKS {
        return Err(format!("{} points, but the face mesh has {LANDMARKS}", frame.expression.len()));
    }
    let rotation = rotation::from_stored(frame.rotation)
        .ok_or_else(|| format!("{:?} is no rotation: its length must be 1", frame.rotation))?;
    frame.rotation = rotation::to_stored(&rotation);
    let near = |v: &f32| v.abs() <= MAX_DISTANCE;
    let openness = [frame.openness.eyes[0], frame.openness.eyes[1], frame.openness.mouth];
    for (what, fine) in [
        ("translation", frame.translation.iter().all(near)),
        ("expression", frame.expression.as_flattened().iter().all(near)),
        ("openness", openness.iter().all(near)),
        ("blendshapes", frame.blendshapes.iter().all(|v| (0.0..=1.0).contains(v))),
    ] {
        if !fine {
            return Err(format!("the {what} holds a value that is not finite or out of range"));
        }
    }
    Ok(())
}
