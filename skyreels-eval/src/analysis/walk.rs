//! From files to frames: each is decoded once.

use std::path::{Path, PathBuf};

use skyreels_core::media::{SelectedFrames, VideoReader, read_picture};
use skyreels_core::{Limits, Progress};

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
    let (frames, count) = open(path, options, limits)?;
    let mut watcher = Watcher::new(judges, options, count)?;
    for (frame, done) in frames.zip(1..) {
        watcher.push(&frame?.image, work)?;
        progress.report(STAGE, done, Some(count as u64))?;
    }
    work.decoded_files += 1;
    one(Watcher::finish(vec![watcher], work)?)
}

/// Measures results and the driver that is their truth, and each beside it, in one pass over all of them. A result that is the
/// truth's own file is decoded like any other.
///
/// Gives the truth's analysis, and the results' in their order.
///
/// # Errors
/// As [`analyse_clip`]; one file that fails fails them all.
pub fn analyse_with_truth(
    truth: &Path,
    results: &[PathBuf],
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    progress: Progress,
    work: &mut Work,
) -> Result<(ClipAnalysis, Vec<(ClipAnalysis, TruthScores)>)> {
    let begin = |path: &Path| {
        let (frames, count) = open(path, options, limits)?;
        Ok::<_, Error>((frames, Watcher::new(judges, options, count)?, count as u64))
    };
    let (mut true_frames, mut true_watcher, mut total) = begin(truth)?;
    let mut clips = Vec::with_capacity(results.len());
    for result in results {
        let (frames, watcher, count) = begin(result)?;
        total = total.max(count);
        clips.push((frames, watcher, TruthScores::default()));
    }
    for done in 1.. {
        let theirs = true_frames.next().transpose()?;
        if let Some(theirs) = &theirs {
            true_watcher.push(&theirs.image, work)?;
        }
        let mut ended = theirs.is_none();
        for (frames, watcher, scores) in &mut clips {
            let Some(ours) = frames.next().transpose()? else { continue };
            ended = false;
            watcher.push(&ours.image, work)?;
            if let Some(theirs) = &theirs {
                scores.push(&ours.image, &theirs.image)?;
            }
        }
        if ended {
            break;
        }
        progress.report(STAGE, done, Some(total))?;
    }
    work.decoded_files += 1 + clips.len() as u64;
    // One after the other: frames of two files may differ in size.
    let mut finish = |watcher| one(Watcher::finish(vec![watcher], work)?);
    let truth = finish(true_watcher)?;
    let results = clips.into_iter().map(|(_, watcher, scores)| Ok((finish(watcher)?, scores)));
    let results = results.collect::<Result<Vec<_>>>()?;
    Ok((truth, results))
}

/// The only one of a list.
fn one(mut analyses: Vec<ClipAnalysis>) -> Result<ClipAnalysis> {
    analyses.pop().ok_or_else(|| Error::empty("an analysis of no file", "name a file"))
}

/// The frames of a video at the common rate, and how many there will be.
fn open(path: &Path, options: &AnalysisOptions, limits: &Limits) -> Result<(SelectedFrames, usize)> {
    let frames = VideoReader::open(path, limits)?.sample(options.rate, options.max_frames);
    let count = frames.size_hint().1.unwrap_or(options.max_frames);
    Ok((frames, count))
}
