//! The performance that moves the portrait.

use std::path::Path;
use std::time::Duration;

use skyreels_core::media::sampling::{original_indices, sample_indices};
use skyreels_core::media::{FrameRate, VideoReader};
use skyreels_core::{Frame, Limits, Progress};
use skyreels_landmarks::smirk::SmirkTracker;
use skyreels_landmarks::{Face, FaceFollower, FacePick, FaceTracker, FlameFrame, Gathered, Motion, StreamOptions};

use crate::Result;

/// A driving video as the pipeline uses it.
#[derive(Debug, Clone)]
pub struct Driving {
    /// The motion at the model's rate, and how much of it was seen.
    pub gathered: Gathered,
    /// The frames it was read from, where they were asked for.
    pub frames: Vec<Frame>,
}

/// What to read of a driving video.
#[derive(Debug, Clone, Copy)]
pub struct Tracking<'a> {
    /// Frames per second to read it at.
    pub rate: FrameRate,
    /// Most frames to read.
    pub limit: usize,
    /// Which face to follow.
    pub pick: FacePick,
    /// How it is followed; the original looks at every frame on its own, [`StreamOptions::image`].
    pub stream: StreamOptions,
    /// Reads FLAME's coefficients too, for [`Retargeting::Flame`](crate::Retargeting::Flame).
    pub smirk: Option<&'a SmirkTracker>,
    /// Whether to keep the frames, to show them beside the result.
    pub keep_frames: bool,
    /// Sample the video with the original's arithmetic, which at some rates takes a frame twice and knows no variable
    /// rate; otherwise the frames are those that are on the screen when the sound is heard.
    pub compat: bool,
}

/// Reads the frames of a video that `tracking` asks for and follows one face through them.
///
/// # Errors
/// Those of reading the video and of the tracker; [`skyreels_landmarks::Error::NoFace`] when no
/// frame shows a face.
pub fn track(
    video: &Path,
    tracker: &dyn FaceTracker,
    tracking: &Tracking,
    limits: &Limits,
    progress: Progress,
) -> Result<Driving> {
    const STAGE: &str = "track";
    let Tracking { rate, limit, pick, stream, smirk, keep_frames, compat } = *tracking;
    let reader = VideoReader::open(video, limits)?;
    let info = *reader.info();
    let chosen = if compat {
        reader.select(original_indices(info.frames, info.frame_rate, rate, limit))
    } else {
        reader.sample(rate, limit)
    };
    let total = chosen.size_hint().1.map(|count| count as u64);
    let mut stream = tracker.stream(&stream)?;
    let mut follower = FaceFollower::new(pick);
    let (mut faces, mut flame, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    progress.report(STAGE, 0, total)?;
    for frame in chosen {
        let image = frame?.image;
        let at = Duration::from_secs_f64(rate.time_of(faces.len() as u64));
        let face = follower.follow(stream.track(&image, at)?);
        if let Some(smirk) = smirk {
            flame.push(face.as_ref().map(|face| flame_frame(&image, face, smirk)).transpose()?);
        }
        faces.push(face);
        if keep_frames {
            frames.push(image);
        }
        progress.report(STAGE, faces.len() as u64, total)?;
    }
    let mut gathered = Motion::from_faces(faces, rate.as_f64())?;
    if smirk.is_some() {
        gathered.motion = gathered.motion.with_flame(flame)?;
    }
    Ok(Driving { gathered, frames })
}

/// What SMIRK reads from a face that was found in `image`.
///
/// # Errors
/// Those of [`SmirkTracker::coefficients`].
pub fn flame_frame(image: &Frame, face: &Face, smirk: &SmirkTracker) -> Result<FlameFrame> {
    let extent = [image.width(), image.height()].map(f64::from);
    let pixel = |[x, y, _]: &[f32; 3]| [f64::from(*x) * extent[0], f64::from(*y) * extent[1]];
    let points: Vec<[f64; 2]> = face.landmarks.iter().map(pixel).collect();
    Ok(FlameFrame::from(&smirk.coefficients(image, &points)?.0))
}

/// The frames of a motion that show it at `rate`, at most `limit` of them.
///
/// # Errors
/// Those of [`Motion::select`].
pub(crate) fn resample(motion: &Motion, rate: FrameRate, limit: usize) -> Result<Motion> {
    let own = FrameRate::new((motion.rate() * 1000.0).round() as u64, 1000)?;
    let indices = sample_indices(motion.frames().len() as u64, own, rate, limit);
    Ok(motion.select(indices.iter().map(|index| *index as usize), rate.as_f64())?)
}
