//! Does what is not the face keep still?

use serde::{Deserialize, Serialize};
use skyreels_core::Frame;

use super::scores::FrameScores;
use super::temporal::{check_size, grey};
use crate::{Error, Result};

/// The box around the face's points grows by this share of its sides on every side: hair, ears and neck move with the head.
const MARGIN: f32 = 0.5;

/// How much the background of a clip changes, in 0..1 of full white.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackgroundStability {
    /// Mean absolute difference from the frame before, outside of both faces.
    pub step: FrameScores,
    /// Mean absolute difference from the first frame, outside of both faces: what drifts away slowly shows.
    pub drift: FrameScores,
}

/// Watches the background of a clip, frame by frame.
///
/// Left aside is the box around the face, half its size larger on each side; shoulders that move count as background.
#[derive(Debug, Clone, Default)]
pub struct BackgroundMeter {
    size: Option<(u32, u32)>,
    first: Option<Seen>,
    last: Option<Seen>,
    step: Vec<Option<f64>>,
    drift: Vec<Option<f64>>,
}

#[derive(Debug, Clone)]
struct Seen {
    grey: Vec<f32>,
    face: Option<[f32; 4]>,
}

impl BackgroundMeter {
    /// Looks at the next frame, with the box of its face (left, top, right, bottom in pixels). Without a face the last one's box
    /// is taken, or the whole frame counts.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a frame of another size than the first, [`Error::Empty`] for one without pixels.
    pub fn push(&mut self, frame: &Frame, face: Option<[f32; 4]>) -> Result<()> {
        check_size("background", &mut self.size, frame)?;
        let face = face.or(self.last.as_ref().and_then(|last| last.face));
        let now = Seen { grey: grey(frame), face };
        let width = frame.width() as usize;
        let change = |other: &Option<Seen>| other.as_ref().and_then(|other| difference(other, &now, width));
        self.step.push(change(&self.last));
        self.drift.push(change(&self.first));
        self.first.get_or_insert_with(|| now.clone());
        self.last = Some(now);
        Ok(())
    }

    /// The change of each frame but the first.
    ///
    /// # Errors
    /// [`Error::Empty`] for fewer than two frames, and where the face fills every frame.
    pub fn finish(self) -> Result<BackgroundStability> {
        let scores = |values| FrameScores::new("background", values);
        let full = |_| Error::empty("background", "a clip needs two frames with something around the face");
        Ok(BackgroundStability { step: scores(self.step).map_err(full)?, drift: scores(self.drift).map_err(full)? })
    }
}

/// Mean absolute difference outside of both faces; `None` when nothing is outside.
fn difference(a: &Seen, b: &Seen, width: usize) -> Option<f64> {
    let boxes = [a.face, b.face].map(|face| face.map(grown));
    let inside = |x: f32, y: f32| {
        boxes
            .iter()
            .flatten()
            .any(|[left, top, right, bottom]| (*left..*right).contains(&x) && (*top..*bottom).contains(&y))
    };
    let (mut sum, mut count) = (0.0, 0usize);
    for (index, (a, b)) in a.grey.iter().zip(&b.grey).enumerate() {
        if !inside((index % width) as f32, (index / width) as f32) {
            sum += f64::from((a - b).abs());
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

fn grown([left, top, right, bottom]: [f32; 4]) -> [f32; 4] {
    let (across, down) = ((right - left) * MARGIN, (bottom - top) * MARGIN);
    [left - across, top - down, right + across, bottom + down]
}
