//! One clip.

use burn::tensor::TensorData;
use skyreels_core::Frame;

use crate::{Error, Result};

/// Frames of a clip that no flow leads to: the first.
pub const FLOW_LEAD: usize = 1;

/// A clip as inference would make it: its frames, and what it was made from.
///
/// Frame `k` of the guide clip draws the face of frame `k` of the video; the first one draws the portrait's own landmarks. Pictures
/// are 8-bit; as tensors they are in `[-1, 1]` ([`frames_to_tensor`](skyreels_core::pixels::frames_to_tensor)).
#[derive(Debug, Clone)]
pub struct Example {
    /// The frames that the model should make.
    pub video: Vec<Frame>,
    /// The guide clip: one drawing per frame, of the same size.
    pub guide: Vec<Frame>,
    /// The portrait, which the first frame shows.
    pub portrait: Frame,
    /// The aligned face that the vision tower reads, of any size.
    pub face: Frame,
    /// What moves, for the face-aware loss; `None` where it is not known.
    pub moving: Option<Moving>,
    /// What the VAE says of the video, where that was kept.
    pub latents: Option<Latents>,
    /// What the vision tower says of the face, `[tokens, width]`, where that was kept.
    pub tokens: Option<TensorData>,
}

/// What is known about motion.
#[derive(Debug, Clone, PartialEq)]
pub enum Moving {
    /// Length of the flow in pixels from each frame to the next one, `frames - 1` times `[height * width]`, row by row.
    Flow(Vec<Vec<f32>>),
    /// Weights that were made of it: means over squares of pixels.
    Weights {
        /// Row by row, frame by frame.
        values: Vec<f32>,
        /// Frames, rows and columns.
        size: [usize; 3],
    },
}

/// The VAE's posterior, before scaling.
#[derive(Debug, Clone, PartialEq)]
pub struct Latents {
    /// Means, `[channels, latent_frames, height / 8, width / 8]`, f32.
    pub mean: TensorData,
    /// Logarithms of the variances; same shape.
    pub logvar: TensorData,
}

impl Example {
    /// Frames, height and width.
    pub fn size(&self) -> [usize; 3] {
        let (width, height) = self.portrait.dimensions();
        [self.video.len(), height as usize, width as usize]
    }

    /// Checks that all parts are of one size.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names the part which does not fit.
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::Invalid { what: "example", reason });
        let [frames, height, width] = self.size();
        if frames == 0 {
            return wrong("it has no frame".into());
        }
        if self.guide.len() != frames {
            return wrong(format!("its guide clip has {} frames, the video {frames}", self.guide.len()));
        }
        for (what, pictures) in [("video", &self.video), ("guide clip", &self.guide)] {
            let other = |frame: &&Frame| frame.dimensions() != self.portrait.dimensions();
            if let Some(frame) = pictures.iter().find(other) {
                return wrong(format!(
                    "a frame of its {what} has {:?} pixels, the portrait {:?}",
                    frame.dimensions(),
                    self.portrait.dimensions()
                ));
            }
        }
        let Some(Moving::Flow(flow)) = &self.moving else { return Ok(()) };
        if flow.len() != frames - FLOW_LEAD || flow.iter().any(|frame| frame.len() != height * width) {
            return wrong(format!("its flow is not {} times {height}x{width}", frames - FLOW_LEAD));
        }
        Ok(())
    }
}
