//! From the faces of a video to its motion; frames without a face keep their place.

use super::flame::FlameFrame;
use super::frame::{Apertures, blend, blend_flame, check};
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

/// The first face of a video: what all expressions are displacements from.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    points: Vec<[f32; 3]>,
    pub(super) proportions: Proportions,
}

impl Reference {
    pub(super) fn of(index: usize, face: &Face) -> Result<Self> {
        check_points(index, face)?;
        Ok(Self { points: face.head_points.clone(), proportions: Proportions::of(&face.head_points) })
    }

    /// The motion of one face.
    pub(super) fn frame(&self, index: usize, face: &Face) -> Result<MotionFrame> {
        check_points(index, face)?;
        let wrong = |reason: String| Error::invalid("face", format!("frame {index}: {reason}"));
        let rotation = rotation::of_pose(&face.matrix)
            .ok_or_else(|| wrong(format!("the pose {:?} has no rotation", face.matrix)))?;
        let moved = face.head_points.iter().zip(&self.points);
        let mut frame = MotionFrame {
            state: State::Seen,
            rotation: rotation::to_stored(&rotation),
            translation: face.translation(),
            expression: moved.map(|(at, from)| std::array::from_fn(|axis| at[axis] - from[axis])).collect(),
            blendshapes: face.blendshapes.map(|score| score.clamp(0.0, 1.0)),
            openness: Openness::of(&face.head_points),
            apertures: Apertures::default(),
            flame: None,
        };
        check(&mut frame).map_err(wrong)?;
        Ok(frame)
    }
}

fn check_points(index: usize, face: &Face) -> Result<()> {
    if face.head_points.len() != LANDMARKS {
        let reason = format!("frame {index}: {} points instead of {LANDMARKS}", face.head_points.len());
        return Err(Error::invalid("face", reason));
    }
    Ok(())
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
        let mut reference: Option<Reference> = None;
        let mut seen = Vec::new();
        let mut count = 0;
        for (index, face) in faces.into_iter().enumerate() {
            count += 1;
            let Some(face) = face else { continue };
            let reference = match &reference {
                Some(reference) => reference,
                None => reference.insert(Reference::of(index, &face)?),
            };
            seen.push((index, reference.frame(index, &face)?));
        }
        let (Some(reference), Some((first, _))) = (reference, seen.first()) else {
            return Err(Error::NoFace {
                place: format!("any of the {count} driving frames"),
                help: "use a video that shows a face from the front, or crop it to the face".into(),
            });
        };
        let first = *first;
        let hold = |held: &MotionFrame| MotionFrame { state: State::Held, ..held.clone() };
        let motion = Motion::new(rate, reference.proportions, fill(&seen, count, hold, blend))?;
        Ok(Gathered { counts: motion.counts(), motion, reference: first })
    }

    /// The same motion with FLAME coefficients, one item per frame, `None` where an encoder saw no face; gaps are filled
    /// as those of the points are.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the number of frames differs, no frame has coefficients, or one is not finite.
    pub fn with_flame(mut self, flame: Vec<Option<FlameFrame>>) -> Result<Self> {
        let (count, given) = (self.frames.len(), flame.len());
        if given != count {
            return Err(Error::invalid("FLAME coefficients", format!("{given} frames for a motion of {count}")));
        }
        let seen: Vec<(usize, FlameFrame)> =
            flame.into_iter().enumerate().filter_map(|(index, frame)| Some((index, frame?))).collect();
        if seen.is_empty() {
            return Err(Error::invalid("FLAME coefficients", format!("none of the {count} frames has any")));
        }
        for (index, frame) in &seen {
            frame.check().map_err(|reason| Error::invalid("FLAME coefficients", format!("frame {index}: {reason}")))?;
        }
        if seen.iter().any(|(_, frame)| frame.eyes.is_some() != seen[0].1.eyes.is_some()) {
            return Err(Error::invalid("FLAME coefficients", "the eyes must be in every frame or in none"));
        }
        let filled = fill(&seen, count, FlameFrame::clone, blend_flame);
        if let Some(rest) = &mut self.rest {
            rest.flame = filled.first().cloned().map(Box::new);
        }
        self.frames.iter_mut().zip(filled).for_each(|(frame, flame)| frame.flame = Some(Box::new(flame)));
        Ok(self)
    }
}

/// One item per index below `count`; `seen` is in order and not empty.
fn fill<T: Clone>(
    seen: &[(usize, T)],
    count: usize,
    hold: impl Fn(&T) -> T,
    blend: impl Fn(&T, &T, f32) -> T,
) -> Vec<T> {
    let at = |index: usize| {
        let next = seen.partition_point(|(seen, _)| *seen < index);
        match (next.checked_sub(1).map(|last| &seen[last]), seen.get(next)) {
            (_, Some((place, item))) if *place == index => item.clone(),
            (Some((from, a)), Some((to, b))) => blend(a, b, (index - from) as f32 / (to - from) as f32),
            (Some((_, held)), None) | (None, Some((_, held))) => hold(held),
            (None, None) => unreachable!("the caller has at least one seen item"),
        }
    };
    (0..count).map(at).collect()
}
