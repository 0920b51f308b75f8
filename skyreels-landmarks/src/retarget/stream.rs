//! The mesh retargeter one frame at a time.

use nalgebra::UnitQuaternion;

use super::mesh::region_fit;
use super::{MeshRetargeter, PortraitFace, RetargetedFrame, Scale, apertures, turn};
use crate::draw::contours::{LEFT_IRIS, RIGHT_IRIS};
use crate::motion::{rotation, sliders};
use crate::{Apertures, BLENDSHAPE_NAMES, Error, ExpressionMode, LANDMARKS, Motion, MotionFrame, Proportions, Result};

/// Moves a portrait frame by frame, as the frames come: nothing of the next one is needed.
///
/// The same frames give the same points as [`retarget`](crate::Retargeter::retarget), which goes this way too.
#[derive(Debug, Clone)]
pub struct MeshStream<'a> {
    portrait: &'a PortraitFace,
    sizes: Proportions,
    rest: MotionFrame,
    start: UnitQuaternion<f64>,
    smoother: rotation::Smoother,
    /// The portrait's own turn and the farthest, in radians.
    turns: [f64; 2],
    fit: Vec<[f64; 3]>,
    /// Share of the driver's translation.
    translation: f64,
    mode: ExpressionMode,
    /// What is added in every frame.
    offset: Vec<[f64; 3]>,
    count: usize,
}

impl MeshRetargeter {
    /// Begins with the frame that the portrait is taken to show, and the driver's sizes; the [`anchor`](Self::anchor)
    /// is not used.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an option has no sense, or the rest no rotation.
    pub fn start<'a>(
        &self,
        portrait: &'a PortraitFace,
        sizes: &Proportions,
        rest: &MotionFrame,
    ) -> Result<MeshStream<'a>> {
        let start = rotation::from_stored(rest.rotation)
            .ok_or_else(|| Error::invalid("motion", format!("{:?} of the rest is no rotation", rest.rotation)))?;
        self.start_from(portrait, sizes, rest, start, ExpressionMode::Relative)
    }

    pub(super) fn start_from<'a>(
        &self,
        portrait: &'a PortraitFace,
        sizes: &Proportions,
        rest: &MotionFrame,
        start: UnitQuaternion<f64>,
        mode: ExpressionMode,
    ) -> Result<MeshStream<'a>> {
        self.check()?;
        if rest.expression.len() != LANDMARKS {
            let reason = format!("{} points instead of {LANDMARKS} in the rest", rest.expression.len());
            return Err(Error::invalid("motion", reason));
        }
        let fit = match self.scale {
            Scale::Canonical => vec![[1.0; 3]; LANDMARKS],
            Scale::Regions => region_fit(sizes, &rest.openness, portrait),
        };
        Ok(MeshStream {
            portrait,
            sizes: *sizes,
            rest: rest.clone(),
            start,
            smoother: rotation::Smoother::new(self.smoothing),
            turns: [turn::turn(portrait.rotation()), self.max_turn.to_radians()],
            fit,
            translation: self.translation,
            mode,
            offset: offset(mode, portrait, rest),
            count: 0,
        })
    }
}

/// What takes the portrait's own expression away and the rest's in its place, as far as scores tell.
fn offset(mode: ExpressionMode, portrait: &PortraitFace, rest: &MotionFrame) -> Vec<[f64; 3]> {
    if mode == ExpressionMode::Relative {
        return vec![[0.0; 3]; LANDMARKS];
    }
    let scores = BLENDSHAPE_NAMES.iter().zip(rest.blendshapes).zip(portrait.blendshapes());
    let differences = scores.map(|((name, rest), own)| (*name, f64::from(rest - own)));
    sliders::displacement(differences, &portrait.proportions())
}

impl MeshStream<'_> {
    /// The portrait's face in the next frame.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the frame has not 478 points or no rotation, or moves a point of the portrait behind the
    /// camera.
    pub fn retarget_frame(&mut self, frame: &MotionFrame) -> Result<RetargetedFrame> {
        let index = self.count;
        self.count += 1;
        let wrong = |reason: &str| Error::invalid("motion", format!("frame {index} {reason}"));
        let driver = rotation::from_stored(frame.rotation).ok_or_else(|| wrong("has no rotation"))?;
        if frame.expression.len() != LANDMARKS {
            return Err(wrong("has not the points of the face mesh"));
        }
        let turned = rotation::relative(self.portrait.rotation(), &self.start, &self.smoother.next(&driver));
        let turned = turn::limited(turned, self.turns[0], self.turns[1]);
        let moves = frame.expression.iter().zip(&self.rest.expression).zip(&self.fit).zip(&self.offset);
        let mut displacement: Vec<[f64; 3]> = moves
            .map(|(((at, from), fit), offset)| [0, 1, 2].map(|k| offset[k] + fit[k] * f64::from(at[k] - from[k])))
            .collect();
        apertures::meet(self.portrait, &mut displacement, &self.apertures(frame));
        self.portrait.part_lips(&mut displacement);
        let shift = [0, 1, 2].map(|k| self.translation * f64::from(frame.translation[k] - self.rest.translation[k]));
        let points = (0..LANDMARKS).map(|i| self.portrait.moved(i, &turned, shift, displacement[i]));
        let points: Vec<_> =
            points.collect::<Option<_>>().ok_or_else(|| wrong("moves a point of the portrait behind the camera"))?;
        let pupil = |i: usize| Some([points[i][0], points[i][1]]);
        Ok(RetargetedFrame { pupils: [pupil(RIGHT_IRIS), pupil(LEFT_IRIS)], points })
    }

    /// The openings that are asked for; absolute expressions ask for the driver's.
    fn apertures(&self, frame: &MotionFrame) -> Apertures {
        if self.mode == ExpressionMode::Relative {
            return frame.apertures;
        }
        let share = |gap: f32, width: f32| if width > 0.0 { gap / width } else { 0.0 };
        let eyes = [0, 1].map(|i| share(frame.openness.eyes[i], self.sizes.eye_width[i]));
        let mouth = share(frame.openness.mouth, self.sizes.mouth_width);
        Apertures { eyes: frame.apertures.eyes.or(Some(eyes)), mouth: frame.apertures.mouth.or(Some(mouth)) }
    }
}

/// Rotation and frame that the portrait is taken to show.
pub(super) fn anchored(retargeter: &MeshRetargeter, motion: &Motion) -> Result<(UnitQuaternion<f64>, MotionFrame)> {
    use super::Anchor;
    let frames = motion.frames();
    let no_rotation = || Error::invalid("motion", "the rest has no rotation");
    let resting = || rotation::from_stored(motion.rest().rotation).ok_or_else(no_rotation);
    match retargeter.anchor {
        Anchor::First => Ok((resting()?, motion.rest().clone())),
        Anchor::MostNeutral => Ok((resting()?, frames[motion.most_neutral()].clone())),
        Anchor::Frame(index) => {
            let missing = || Error::invalid("anchor", format!("frame {index} of {} frames", frames.len()));
            let frame = frames.get(index).ok_or_else(missing)?.clone();
            let before = frames[..=index].iter().filter_map(|frame| rotation::from_stored(frame.rotation));
            let smoothed = rotation::smooth(&before.collect::<Vec<_>>(), retargeter.smoothing);
            Ok((*smoothed.last().ok_or_else(no_rotation)?, frame))
        }
    }
}
