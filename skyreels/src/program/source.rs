//! Portraits, motions and face models as the command line names them.

use std::path::Path;

use skyreels::animate::RATE;
use skyreels::core::media::sampling::sample_indices;
use skyreels::core::media::{FrameRate, Sound, VideoReader, read_picture};
use skyreels::core::{Device, Error as CoreError, Frame, Limits};
use skyreels::landmarks::smirk::SmirkTracker;
use skyreels::landmarks::{Counts, Motion, MotionEdit};
use skyreels::rendered::rendered_portrait;
use skyreels::{Error, Portrait, Tracking, track};

use super::args::Animate;
use super::face_args::FaceSource;
use super::faces::Counting;
use super::{Reporter, Result};

/// How a portrait made by this program is named.
const DRAWN: &str = "drawn:";
/// Shortest side of a canvas with a face on it, in pixels.
const MIN_SIDE: u32 = 32;

/// A driving motion, with frames to show beside the result where there are any.
pub struct Performance {
    pub motion: Motion,
    pub frames: Vec<Frame>,
    /// The video's sound.
    pub sound: Option<Sound>,
}

impl Performance {
    /// The performance after an edit, at the model's rate; frames to show stay beside what they show.
    pub fn edited(self, edit: &MotionEdit) -> Result<Self> {
        let motion = edit.apply(&self.motion)?;
        let mut frames = self.frames;
        if !frames.is_empty() && edit.changes_time() {
            let rate = FrameRate::new((motion.rate() * 1000.0).round() as u64, 1000)?;
            let shown = edit.shown_frames(&self.motion)?;
            let sampled = sample_indices(shown.len() as u64, rate, RATE, shown.len());
            frames = sampled.iter().filter_map(|k| frames.get(shown[*k as usize]).cloned()).collect();
        }
        Ok(Self { motion, frames, sound: self.sound })
    }
}

/// How many driving frames an edit needs to make `limit` of its own.
pub fn frames_needed(edit: &MotionEdit, limit: usize) -> usize {
    let only_trimmed = MotionEdit { trim: None, ..edit.clone() };
    match edit.trim {
        Some(trim) if !only_trimmed.changes_time() => limit + (trim.start * RATE.as_f64()).ceil() as usize,
        None if !edit.changes_time() => limit,
        _ => usize::try_from(Limits::default().max_frames).unwrap_or(usize::MAX),
    }
}

/// Reads or draws the portrait, at `size` (width, height), with FLAME's coefficients where SMIRK is given.
pub fn portrait(
    name: &str,
    size: [u32; 2],
    source: &FaceSource,
    smirk: Option<&SmirkTracker>,
    device: &Device,
    reporter: &Reporter,
) -> Result<Portrait> {
    let portrait = match name.strip_prefix(DRAWN) {
        Some(seed) => drawn(seed, size)?,
        None => {
            let picture = read_picture(name, &Limits::default())?;
            let tracker = source.tracker(false, device, reporter)?;
            let tracker = Counting::new(&*tracker);
            Portrait::find(&picture, size, &tracker, source.face)
                .map_err(|error| tracker.explained("face", source.face, "the portrait", error))?
        }
    };
    match smirk {
        Some(smirk) => portrait.with_flame(smirk),
        None => Ok(portrait),
    }
}

/// A person of the rendered world, whose face is known.
fn drawn(seed: &str, size: [u32; 2]) -> Result<Portrait> {
    let seed = seed.parse().map_err(|_| request("portrait", format!("`{seed}` is not a seed")))?;
    rendered_portrait(seed, size)
}

/// Reads a motion file, or tracks a video of which at most `limit` frames are used; `with_sound` says whether the
/// result can have the video's sound.
pub fn performance(
    args: &Animate,
    limit: usize,
    with_sound: bool,
    smirk: Option<&SmirkTracker>,
    device: &Device,
    reporter: &Reporter,
) -> Result<Performance> {
    let path = args.driving.as_path();
    if is_motion_file(path)? {
        let motion = Motion::open(path, &Limits::default())?;
        return Ok(Performance { motion, frames: Vec::new(), sound: None });
    }
    // A file that is no video should say so before a model is asked for.
    let has_sound = VideoReader::open(path, &Limits::default())?.info().has_audio;
    let sound = if with_sound && has_sound { sound(path, reporter) } else { None };
    let tracker = args.face.tracker(args.compat, device, reporter)?;
    let tracker = Counting::new(&*tracker);
    let (pick, keep_frames) = (args.driving_face, args.side_by_side);
    let stream = args.following.options();
    let tracking = Tracking { rate: RATE, limit, pick, stream, smirk, keep_frames, compat: args.compat };
    let driving = track(path, &tracker, &tracking, &Limits::default(), reporter.progress())
        .map_err(|error| tracker.explained("driving-face", pick, "the driving video", error))?;
    note_gaps(&driving.gathered.counts, reporter);
    Ok(Performance { motion: driving.gathered.motion, frames: driving.frames, sound })
}

/// Says how many frames were filled, where some were.
pub fn note_gaps(counts: &Counts, reporter: &Reporter) {
    let Counts { seen, held, interpolated } = *counts;
    if held + interpolated > 0 {
        reporter.note(&format!(
            "{} of {} driving frames show no face: {held} held, {interpolated} interpolated",
            held + interpolated,
            seen + held + interpolated,
        ));
    }
}

/// Refuses canvases on which nothing could be drawn, or which no memory holds.
pub fn check_canvas([width, height]: [u32; 2]) -> Result<()> {
    let most = Limits::default().max_side;
    if width.min(height) >= MIN_SIDE && width.max(height) <= most {
        return Ok(());
    }
    Err(request("size", format!("{height}x{width} is not between {MIN_SIDE} and {most} pixels each way")))
}

/// The sound of a video, opened before the long work; where it cannot go along, the result has none and says so.
fn sound(path: &Path, reporter: &Reporter) -> Option<Sound> {
    Sound::open(path, &Limits::default()).unwrap_or_else(|error| {
        reporter.note(&format!("the result will have no sound: {error}"));
        None
    })
}

/// Motion files are safetensors: their ninth byte opens a JSON header, which no video's does.
fn is_motion_file(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut start = Vec::new();
    let file = std::fs::File::open(path).map_err(CoreError::io("read", path))?;
    file.take(9).read_to_end(&mut start).map_err(CoreError::io("read", path))?;
    Ok(start.last() == Some(&b'{') && start.len() == 9)
}

pub fn request(what: &'static str, reason: String) -> Error {
    Error::Request { what, reason }
}
