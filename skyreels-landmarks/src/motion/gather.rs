//! From the faces of a video to its motion; frames without a face keep their place.

use super::rotation;
use super::{Counts, Motion, MotionFrame, Openness, Proportions, State};
use crate::{Error, Face, LANDMARKS, Result};

/// A motion and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// One frame per frame of the video.
    pub motion: Motion,
    /// How many frames had a face.
    pub counts: Counts,
    /// The reference: the first frame with a face. All expressions are displacements from it.
    pub reference: usize,
}

impl Motion {
    /// The motion of one face through a video, one item per frame, `None` where it was not found.
    ///
    /// Gaps between two seen frames are interpolated (rotations on the shortest arc), those at the ends hold the nearest
    /// seen frame; the number of frames never changes.
    ///
    /// # Errors
    /// [`Error::NoFace`] when no frame has a face; [`Error::Invalid`] for a face without 478 finite points or
    /// without a pose, and for a rate that is none.
    pub fn from_faces(faces: impl IntoIterator<Item = Option<Face>>, rate: f64) -> Result<Gathered> {
        let mut proportions = None;
        let mut origin = Vec::new();
        let mut seen = Vec::new();
        let mut count = 0;
        for (index, face) in faces.into_iter().enumerate() {
            count += 1;
            let Some(face) = face else { continue };
            if face.head_points.len() != LANDMARKS {
                let reason = format!("frame {index}: {} points instead of {LANDMARKS}", face.head_points.len());
                return Err(Error::invalid("face", reason));
            }
            if proportions.is_none() {
                proportions = Some(Proportions::of(&face.head_points));
                origin.clone_from(&face.head_points);
            }
            seen.push((index, frame(index, &face, &origin)?));
        }
        let (Some(proportions), Some((reference, _))) = (proportions, seen.first()) else {
            return Err(Error::NoFace {
                place: format!("any of the {count} driving frames"),
                help: "use a video that shows a face from the front, or crop it to the face".into(),
            });
        };
        let reference = *reference;
        let motion = Motion::new(rate, proportions, fill(&seen, count))?;
        Ok(Gathered { counts: motion.counts(), motion, reference })
    }
}

fn frame(index: usize, face: &Face, origin: &[[f32; 3]]) -> Result<MotionFrame> {
    let rotation = rotation::of_pose(&face.matrix)
        .ok_or_else(|| Error::invalid("face", format!("frame {index}: the pose {:?} has no rotation", face.matrix)))?;
    let moved = face.head_points.iter().zip(origin).map(|(at, from)| std::array::from_fn(|axis| at[axis] - from[axis]));
    Ok(MotionFrame {
        state: State::Seen,
        rotation: rotation::to_stored(&rotation),
        translation: face.translation(),
        expression: moved.collect(),
        blendshapes: face.blendshapes.map(|score| score.clamp(0.0, 1.0)),
        openness: Openness::of(&face.head_points),
    })
}

/// One frame per index below `count`; `seen` is in order and not empty.
fn fill(seen: &[(usize, MotionFrame)], count: usize) -> Vec<MotionFrame> {
    let at = |index: usize| {
        let next = seen.partition_point(|(seen, _)| *seen < index);
        match (next.checked_sub(1).map(|last| &seen[last]), seen.get(next)) {
            (_, Some((place, frame))) if *place == index => frame.clone(),
            (Some((from, a)), Some((to, b))) => blend(a, b, (index - from) as f32 / (to - from) as f32),
            (Some((_, held)), None) | (None, Some((_, held))) => MotionFrame { state: State::Held, ..held.clone() },
            (None, None) => unreachable!("the caller has at least one seen frame"),
        }
    };
    (0..count).map(at).collect()
}

/// The motion at a share of the way from `a` to `b`.
pub(crate) fn blend(a: &MotionFrame, b: &MotionFrame, share: f32) -> MotionFrame {
    let mix = |a: f32, b: f32| a + (b - a) * share;
    let point = |a: &[f32; 3], b: &[f32; 3]| std::array::from_fn(|axis| mix(a[axis], b[axis]));
    MotionFrame {
        state: State::Interpolated,
        rotation: rotation::between(a.rotation, b.rotation, f64::from(share)),
        translation: point(&a.translation, &b.translation),
        expression: a.expression.iter().zip(&b.expression).map(|(a, b)| point(a, b)).collect(),
        blendshapes: std::array::from_fn(|i| mix(a.blendshapes[i], b.blendshapes[i])),
        openness: Openness {
            eyes: std::array::from_fn(|i| mix(a.openness.eyes[i], b.openness.eyes[i])),
            mouth: mix(a.openness.mouth, b.openness.mouth),
        },
    }
}
