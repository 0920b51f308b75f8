//! Optical flow: where each pixel of a frame goes in the next one.
//!
//! The face-aware loss weighs pixels by how far they move. [`OpticalFlow`] is what it asks; behind it stand [`RaftFlow`] (the
//! published networks), [`LucasKanade`] (on the host, without weights) and [`RenderedFlow`] (the truth about a rendered clip).

mod field;
mod lucas_kanade;
mod plane;
pub mod raft;
mod rendered;

pub use field::FlowField;
pub use lucas_kanade::LucasKanade;
pub use raft::{Raft, RaftFlow, RaftOptions};
pub use rendered::RenderedFlow;

use skyreels_core::{Frame, Progress};

use crate::{Error, Result};

/// Name of the stage in progress reports.
const STAGE: &str = "flow";

/// Something that says where pixels go.
pub trait OpticalFlow {
    /// The flow from each frame to the next one, one less than frames.
    ///
    /// # Errors
    /// [`Error::Invalid`] for fewer than two frames and for frames of different sizes; [`Error::Core`] when the device
    /// fails or `progress` asks to stop.
    fn between(&self, frames: &[Frame], progress: Progress) -> Result<Vec<FlowField>>;
}

/// Width and height of all frames, of which there are two or more.
fn common_size(frames: &[Frame]) -> Result<[u32; 2]> {
    let [first, second, ..] = frames else {
        let reason = format!("{} are too few: flow leads from one frame to the next", frames.len());
        return Err(Error::Invalid { what: "frames", reason });
    };
    let size: [u32; 2] = first.dimensions().into();
    if size.contains(&0) {
        return Err(Error::Invalid { what: "frames", reason: "they have no pixels".into() });
    }
    if let Some(index) = frames.iter().position(|frame| <[u32; 2]>::from(frame.dimensions()) != size) {
        let other = if index == 0 { second } else { &frames[index] };
        let reason = format!("frame {index} has {:?} pixels, the first one {size:?}", other.dimensions());
        return Err(Error::Invalid { what: "frames", reason });
    }
    Ok(size)
}
