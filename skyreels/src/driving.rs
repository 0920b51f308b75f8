//! The performance that moves the portrait.

use std::path::Path;

use skyreels_core::media::{FrameRate, VideoReader, sampling::sample_indices};
use skyreels_core::{Frame, Limits, Progress};
use skyreels_landmarks::{FaceFollower, FacePick, FaceTracker, Gathered, Motion};

use crate::Result;

/// A driving video as the pipeline uses it.
#[derive(Debug, Clone)]
pub struct Driving {
    /// The motion at the model's rate, and how much of it was seen.
    pub gathered: Gathered,
    /// The frames it was read from, where they were asked for.
    pub frames: Vec<Frame>,
}

/// Reads at most `limit` frames of a video at `rate` and follows one face through them.
///
/// # Errors
/// Those of reading the video and of the tracker; [`skyreels_landmarks::Error::NoFace`] when no
/// frame shows a face.
pub fn track(
    video: &Path,
    rate: FrameRate,
    limit: usize,
    tracker: &dyn FaceTracker,
    pick: FacePick,
    keep_frames: bool,
    limits: &Limits,
    progress: Progress,
) -> Result<Driving> {
    const STAGE: &str = "track";
    let reader = VideoReader::open(video, limits)?;
    let info = *reader.info();
    let total = sample_indices(info.frames, info.frame_rate, rate, limit).len() as u64;
    let mut follower = FaceFollower::new(pick);
    let (mut faces, mut frames) = (Vec::new(), Vec::new());
    progress.report(STAGE, 0, Some(total))?;
    for frame in reader.sample(rate, limit) {
        let image = frame?.image;
        faces.push(follower.follow(tracker.detect(&image)?));
        if keep_frames {
            frames.push(image);
        }
        progress.report(STAGE, faces.len() as u64, Some(total))?;
    }
    Ok(Driving { gathered: Motion::from_faces(faces, rate.as_f64())?, frames })
}

/// The frames of a motion that show it at `rate`, at most `limit` of them.
///
/// # Errors
/// Those of [`Motion::new`].
pub(crate) fn resample(motion: &Motion, rate: FrameRate, limit: usize) -> Result<Motion> {
    let own = FrameRate::new((motion.rate() * 1000.0).round() as u64, 1000)?;
    let indices = sample_indices(motion.frames().len() as u64, own, rate, limit);
    let frames = indices.iter().map(|index| motion.frames()[*index as usize].clone()).collect();
    Ok(Motion::new(rate.as_f64(), *motion.proportions(), frames)?)
}
