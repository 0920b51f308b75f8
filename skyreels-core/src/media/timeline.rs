//! Which samples are shown, when, and in which order: the edit list applied to a track.

use std::collections::HashSet;

use super::FrameRate;
use super::mp4::{Movie, Track};
use super::sampling::FrameTimes;
use crate::{Error, Result};

/// Entries that an edit list may have: every entry may mean another pass of the decoder.
const MAX_EDITS: usize = 1_000;

/// A stretch of the movie that plays a stretch of the media.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// When it begins in the movie, in seconds.
    pub start: f64,
    /// First instant of the media that is shown, in the track's timescale.
    pub media_start: i64,
    /// First instant that is not shown any more.
    pub media_end: i64,
}

/// Stretches of `track`, in order; the whole media where there is no edit list.
pub(super) fn stretches(track: &Track, movie_timescale: u32) -> Vec<Stretch> {
    if track.edits.is_empty() {
        // Media that begin before zero (a negative composition offset) are shown from their beginning.
        let start = track.samples.iter().map(|sample| sample.presentation_time()).min().unwrap_or(0).min(0);
        return vec![Stretch { start: 0.0, media_start: start, media_end: i64::MAX }];
    }
    let mut stretches = Vec::new();
    let mut clock = 0.0;
    for edit in &track.edits {
        let seconds = edit.duration as f64 / f64::from(movie_timescale);
        if let Some(media_start) = edit.media_time {
            let ticks = u128::from(edit.duration) * u128::from(track.timescale);
            let rounded = (ticks + u128::from(movie_timescale) / 2) / u128::from(movie_timescale);
            let length = if edit.duration == 0 { i64::MAX } else { i64::try_from(rounded).unwrap_or(i64::MAX) };
            stretches.push(Stretch { start: clock, media_start, media_end: media_start.saturating_add(length) });
        }
        clock += seconds;
    }
    stretches
}

/// One frame to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shown {
    /// Index of its sample, in decoding order.
    pub sample: usize,
    /// When, in seconds from the beginning of the movie.
    pub time: f64,
}

/// Frames that are shown one after the other from one run of the decoder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// Sample to start decoding at, a key frame.
    pub first_sample: usize,
    /// In presentation order.
    pub frames: Vec<Shown>,
}

impl Run {
    /// The samples that it shows.
    pub(super) fn samples(&self) -> HashSet<usize> {
        self.frames.iter().map(|frame| frame.sample).collect()
    }
}

/// The whole plan of a video track.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline {
    pub runs: Vec<Run>,
    pub frames: u64,
    pub duration: f64,
    /// When the last frame disappears, in seconds from the beginning of the movie.
    pub end: f64,
    /// A tick of the track's clock, in seconds.
    pub tick: f64,
    pub frame_rate: FrameRate,
}

impl Timeline {
    /// When its frames are on the screen.
    pub(super) fn frame_times(&self) -> FrameTimes {
        let times = self.runs.iter().flat_map(|run| run.frames.iter().map(|frame| frame.time)).collect();
        FrameTimes { times, end: self.end, tick: self.tick }
    }

    /// Plans `track`: a frame is shown when its time lies within an edit, as FFmpeg has it.
    pub(super) fn new(movie: &Movie, track: &Track, max_frames: u64) -> Result<Self> {
        let bad = |reason: &str| Error::malformed(&movie.path, "video", reason);
        if track.samples.is_empty() {
            return Err(bad("its video track holds no frames"));
        }
        if track.edits.len() > MAX_EDITS {
            return Err(bad("its edit list is longer than that of any real video"));
        }
        let timescale = f64::from(track.timescale);
        let mut by_time: Vec<(i64, usize)> =
            track.samples.iter().enumerate().map(|(index, sample)| (sample.presentation_time(), index)).collect();
        by_time.sort_unstable();
        let mut runs = Vec::new();
        let (mut frames, mut ticks, mut end) = (0_u64, 0_u64, 0.0);
        for stretch in stretches(track, movie.timescale) {
            let from = by_time.partition_point(|(time, _)| *time < stretch.media_start);
            let to = by_time.partition_point(|(time, _)| *time < stretch.media_end);
            let order = by_time.get(from..to).unwrap_or_default();
            let Some(earliest) = order.iter().map(|(_, index)| *index).min() else { continue };
            let first_sample = (0..=earliest).rev().find(|at| track.samples[*at].key_frame);
            frames += order.len() as u64;
            if frames > max_frames {
                return Err(Error::Limit {
                    path: movie.path.clone(),
                    what: "the number of its frames",
                    value: frames,
                    limit: max_frames,
                    help: "cut the video first".into(),
                });
            }
            ticks += order.iter().map(|(_, index)| u64::from(track.samples[*index].duration)).sum::<u64>();
            // Within the stretch, in seconds.
            let since_start = |time: i64| (i128::from(time) - i128::from(stretch.media_start)) as f64 / timescale;
            if let Some(&(time, sample)) = order.last() {
                let disappears = time.saturating_add(track.samples[sample].duration.into());
                end = stretch.start + since_start(disappears.min(stretch.media_end));
            }
            runs.push(Run {
                first_sample: first_sample.ok_or_else(|| bad("no key frame precedes its first frame"))?,
                frames: order
                    .iter()
                    .map(|&(time, sample)| Shown { sample, time: stretch.start + since_start(time) })
                    .collect(),
            });
        }
        if frames == 0 {
            return Err(bad("its edit list shows no frame"));
        }
        let rate = frames.checked_mul(track.timescale.into()).filter(|_| ticks > 0);
        let frame_rate = rate.and_then(|numerator| FrameRate::new(numerator, ticks).ok());
        let frame_rate = frame_rate.ok_or_else(|| bad("its frames have no duration"))?;
        Ok(Self { runs, frames, duration: ticks as f64 / timescale, end, tick: 1.0 / timescale, frame_rate })
    }
}
