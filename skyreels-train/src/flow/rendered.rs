//! The true flow of a rendered clip.

use skyreels_core::{Frame, Progress};

use super::{FlowField, OpticalFlow, STAGE, common_size};
use crate::world::{Person, State};
use crate::{Error, Result};

/// A person and its state in each frame of a clip: the flow is known, whatever the frames show.
#[derive(Debug, Clone)]
pub struct RenderedFlow<'a> {
    /// Who is seen.
    pub person: &'a Person,
    /// One state for each frame.
    pub states: &'a [State],
}

impl OpticalFlow for RenderedFlow<'_> {
    fn between(&self, frames: &[Frame], progress: Progress) -> Result<Vec<FlowField>> {
        let size = common_size(frames)?;
        if frames.len() != self.states.len() {
            let reason = format!("{} of them, but {} states of the person", frames.len(), self.states.len());
            return Err(Error::Invalid { what: "frames", reason });
        }
        let pairs = self.states.windows(2).enumerate();
        let flows = pairs.map(|(index, pair)| {
            let flow = self.person.flow(&pair[0], &pair[1], size).into();
            progress.report(STAGE, index as u64 + 1, Some(frames.len() as u64 - 1))?;
            Ok(flow)
        });
        flows.collect()
    }
}
