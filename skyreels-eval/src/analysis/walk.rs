//! From files to frames: each is decoded once.

use std::path::{Path, PathBuf};

use skyreels_core::media::{SelectedFrames, VideoReader, read_picture};
use skyreels_core::{Error as CoreError, Limits, Progress};

use super::clip::ClipAnalysis;
use super::judges::{AnalysisOptions, Judges, Work};
use super::watcher::{TruthScores, Watcher};
use crate::Result;

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

/// Measures videos, one after the other, each in one pass.
///
/// # Errors
/// Those of reading a video and of the networks; "no face" is no error.
pub fn analyse_clips(
    paths: &[PathBuf],
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    progress: Progress,
    work: &mut Work,
) -> Result<Vec<ClipAnalysis>> {
    let mut analyses = Vec::with_capacity(paths.len());
    for path in paths {
        let (frames, count) = open(path, options, limits)?;
        let mut watcher = Watcher::new(judges, options, count)?;
        for (frame, done) in frames.zip(1..) {
            watcher.push(&frame?.image, work)?;
            progress.report(STAGE, done, Some(count as u64))?;
        }
        work.decoded_files += 1;
        analyses.extend(Watcher::finish(vec![watcher], work)?);
    }
    Ok(analyses)
}

/// Measures a result and the driver that is its truth, and one beside the other, in one pass over both.
///
/// # Errors
/// As [`analyse_clips`].
pub fn analyse_with_truth(
    result: &Path,
    truth: &Path,
    judges: &Judges,
    options: &AnalysisOptions,
    limits: &Limits,
    progress: Progress,
    work: &mut Work,
) -> Result<([ClipAnalysis; 2], TruthScores)> {
    let (mut result, count) = open(result, options, limits)?;
    let (mut truth, true_count) = open(truth, options, limits)?;
    let mut watchers = [Watcher::new(judges, options, count)?, Watcher::new(judges, options, true_count)?];
    let mut scores = TruthScores::default();
    let total = count.max(true_count) as u64;
    for done in 1.. {
        let [ours, theirs] = [result.next().transpose()?, truth.next().transpose()?];
        if ours.is_none() && theirs.is_none() {
            break;
        }
        for (frame, watcher) in [&ours, &theirs].into_iter().zip(&mut watchers) {
            if let Some(frame) = frame {
                watcher.push(&frame.image, work)?;
            }
        }
        if let (Some(ours), Some(theirs)) = (&ours, &theirs) {
            scores.push(&ours.image, &theirs.image)?;
        }
        progress.report(STAGE, done, Some(total))?;
    }
    work.decoded_files += 2;
    let [result, truth] = watchers;
    // Separately: frames of the two may differ in size.
    let mut analyses = Watcher::finish(vec![result], work)?;
    analyses.extend(Watcher::finish(vec![truth], work)?);
    let analyses = analyses.try_into().map_err(|_| CoreError::invalid("analysis", "two files gave not two answers"))?;
    Ok((analyses, scores))
}

/// The frames of a video at the common rate, and how many there will be.
fn open(path: &Path, options: &AnalysisOptions, limits: &Limits) -> Result<(SelectedFrames, usize)> {
    let frames = VideoReader::open(path, limits)?.sample(options.rate, options.max_frames);
    let count = frames.size_hint().1.unwrap_or(options.max_frames);
    Ok((frames, count))
}
