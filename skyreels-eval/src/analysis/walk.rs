//! From files to frames: each is decoded once.

use std::path::{Path, PathBuf};

use skyreels_core::media::{SelectedFrames, VideoReader, read_picture};
use skyreels_core::{Frame, Limits, Progress};

use super::clip::ClipAnalysis;
use super::judges::{AnalysisOptions, Judges, Work};
use super::watcher::{TruthScores, Watcher};
use crate::{Error, Result};

/// Name of this operation in progress reports: frames.
const STAGE: &str = "analyse";

/// Measures pictures, all faces in one batch.
///
/// # Errors
/// Those of reading a picture and of the networks; "no face" is no error.
pub fn analyse_portraits(
    paths: &[PathBuf],
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    work: &mut Work,
) -> Result<Vec<ClipAnalysis>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let mut watcher = Watcher::new(judges, options, 1)?;
        watcher.push(&read_picture(path, limits)?, work)?;
        work.decoded_files += 1;
        files.push(watcher);
    }
    Watcher::finish(files, work)
}

/// Measures a video in one pass.
///
/// # Errors
/// Those of reading a video and of the networks; "no face" is no error.
pub fn analyse_clip(
    path: &Path,
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    progress: Progress,
    work: &mut Work,
) -> Result<ClipAnalysis> {
    let files = [path.to_path_buf()];
    let mut found = analyse_together(&files, &[], judges, options, limits, progress, work)?;
    found.clips.pop().unwrap_or_else(|| Err(Error::empty("an analysis of no file", "name a file")))
}

/// What was measured on several videos that were read beside each other, or why it was not.
#[derive(Debug)]
pub struct Together {
    /// Each video by itself, in their order.
    pub clips: Vec<Result<ClipAnalysis>>,
    /// The comparisons, in their order.
    pub comparisons: Vec<Result<TruthScores>>,
}

/// Measures videos, and results beside their truths, in one pass over all of them: each file is decoded once, a result that is
/// its own truth too. `comparisons` are places of a result and its truth among `files`.
///
/// A file that cannot be read or measured costs its comparisons, not the other files.
///
/// # Errors
/// [`Error::Invalid`] for a comparison of a file that is not there, and a cancellation.
pub fn analyse_together(
    files: &[PathBuf],
    comparisons: &[[usize; 2]],
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    progress: Progress,
    work: &mut Work,
) -> Result<Together> {
    if let Some(outside) = comparisons.iter().flatten().find(|place| **place >= files.len()) {
        return Err(Error::invalid("comparisons", format!("one is with file {outside} of {}", files.len())));
    }
    let mut walks: Vec<Result<Walk>> = files.iter().map(|path| Walk::begin(path, judges, options, limits)).collect();
    let mut scores: Vec<Result<TruthScores>> = comparisons.iter().map(|_| Ok(TruthScores::default())).collect();
    let total = walks.iter().flatten().map(|walk| walk.frames.size_hint().1.unwrap_or(options.max_frames)).max();
    for done in 1.. {
        let frames: Vec<Option<Frame>> = walks.iter_mut().map(|walk| step(walk, work)).collect();
        if frames.iter().all(Option::is_none) {
            break;
        }
        for ([result, truth], scores) in comparisons.iter().zip(&mut scores) {
            if let (Some(ours), Some(theirs), Ok(so_far)) = (&frames[*result], &frames[*truth], &mut *scores)
                && let Err(error) = so_far.push(ours, theirs)
            {
                *scores = Err(error);
            }
        }
        progress.report(STAGE, done, total.map(|total| total as u64))?;
    }
    // One after the other: frames of two files may differ in size.
    let mut clips = Vec::with_capacity(files.len());
    for walk in walks {
        clips.push(walk.and_then(|walk| walk.finish(work)));
    }
    let comparisons =
        comparisons.iter().zip(scores).map(|([result, truth], scores)| match (&clips[*result], &clips[*truth]) {
            (Err(error), _) | (_, Err(error)) => Err(Error::invalid("comparison", error.to_string())),
            _ => scores,
        });
    Ok(Together { comparisons: comparisons.collect(), clips })
}

/// A video on its way.
struct Walk<'a> {
    frames: SelectedFrames,
    watcher: Watcher<'a>,
}

impl<'a> Walk<'a> {
    /// The frames of a video at the common rate.
    fn begin(path: &Path, judges: &'a Judges<'a>, options: &AnalysisOptions, limits: &Limits) -> Result<Self> {
        let frames = VideoReader::open(path, limits)?.sample(options.rate, options.max_frames);
        let count = frames.size_hint().1.unwrap_or(options.max_frames);
        Ok(Self { frames, watcher: Watcher::new(judges, options, count)? })
    }

    fn finish(self, work: &mut Work) -> Result<ClipAnalysis> {
        let mut analyses = Watcher::finish(vec![self.watcher], work)?;
        work.decoded_files += 1;
        analyses.pop().ok_or_else(|| Error::empty("an analysis of no file", "name a file"))
    }
}

/// The next frame of a video, looked at; `None` at its end. What goes wrong takes the video's place.
fn step(walk: &mut Result<Walk>, work: &mut Work) -> Option<Frame> {
    let Ok(Walk { frames, watcher }) = walk else { return None };
    let frame = frames.next()?.map_err(Error::from);
    let looked_at = frame.and_then(|frame| watcher.push(&frame.image, work).map(|()| frame.image));
    match looked_at {
        Ok(frame) => Some(frame),
        Err(error) => {
            *walk = Err(error);
            None
        }
    }
}
