//! Motion frame by frame, while it happens.

use super::gather::Reference;
use super::{MotionFrame, Proportions, State};
use crate::{Face, Result};

/// Makes motion frames from faces as they come, without knowing the next one.
///
/// The first face is the reference of all expressions, as in [`Motion::from_faces`](crate::Motion::from_faces), and
/// frames with a face are the same numbers as there. Where no face is found the last one is held, because a gap can
/// only be interpolated once its end is known.
#[derive(Debug, Clone, Default)]
pub struct LiveMotion {
    reference: Option<Reference>,
    last: Option<MotionFrame>,
    count: usize,
}

impl LiveMotion {
    /// Waits for the first face.
    pub fn new() -> Self {
        Self::default()
    }

    /// The motion of the next frame; `None` until there has been a face.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a face without 478 finite points or without a pose; the frame
    /// counts, and the next one may follow.
    pub fn push(&mut self, face: Option<&Face>) -> Result<Option<MotionFrame>> {
        let index = self.count;
        self.count += 1;
        let Some(face) = face else {
            return Ok(self.last.clone().map(|held| MotionFrame { state: State::Held, ..held }));
        };
        let reference = match &self.reference {
            Some(reference) => reference,
            None => self.reference.insert(Reference::of(index, face)?),
        };
        let frame = reference.frame(index, face)?;
        self.last = Some(frame.clone());
        Ok(Some(frame))
    }

    /// Sizes of the driver's face in the first frame that showed it.
    pub fn proportions(&self) -> Option<&Proportions> {
        self.reference.as_ref().map(|reference| &reference.proportions)
    }
}
