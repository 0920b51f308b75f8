//! One video, from its first frame to its last clip.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skyreels_core::media::VideoReader;
use skyreels_core::resize::fit;
use skyreels_core::{Error as CoreError, Limits, Progress};
use skyreels_landmarks::{FaceStream, StreamOptions};

use super::clip::{PreparedClip, Take, Tools};
use super::cuts::CutDetector;
use super::filter::Reason;
use super::manifest::{ClipRow, RejectedRow, Row};
use super::settings::Settings;
use super::shard;
use crate::Result;
use crate::data::mix;

/// Name of the stage in progress reports.
const STAGE: &str = "prepare";

/// A video on its way into a directory.
pub(super) struct Source<'a> {
    /// As it is named in the manifest.
    pub(super) name: String,
    /// What its files are called.
    pub(super) id: String,
    pub(super) directory: &'a Path,
    pub(super) settings: &'a Settings,
    pub(super) tools: &'a Tools<'a>,
    /// What became of it so far.
    pub(super) rows: Vec<Row>,
    waiting: Vec<PreparedClip>,
    clips: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(video: &Path, directory: &'a Path, settings: &'a Settings, tools: &'a Tools<'a>) -> Self {
        let (name, id) = (video.to_string_lossy().into_owned(), id(video));
        Self { name, id, directory, settings, tools, rows: Vec::new(), waiting: Vec::new(), clips: 0 }
    }

    /// Reads the video to its end, or to the most clips that are wanted of it.
    pub(super) fn run(&mut self, video: &Path, limits: &Limits, progress: Progress) -> Result<()> {
        if let Err(error) = self.read(video, limits, progress) {
            // A video that is no good is no reason to stop; that somebody wants to stop is.
            match error {
                crate::Error::Core(
                    error @ (CoreError::Malformed { .. }
                    | CoreError::Unsupported { .. }
                    | CoreError::Limit { .. }
                    | CoreError::Invalid { .. }),
                ) => {
                    self.reject(None, 0, Reason::Unreadable, error.to_string(), None);
                }
                error => return Err(error),
            }
        }
        self.flush()
    }

    fn read(&mut self, video: &Path, limits: &Limits, progress: Progress) -> Result<()> {
        let rate = self.settings.frame_rate()?;
        let frames = VideoReader::open(video, limits)?.sample(rate, usize::MAX);
        let total = frames.size_hint().1.map(|count| count as u64);
        let mut cuts = CutDetector::new(self.settings.cut);
        let mut take = Take::default();
        let mut stream: Option<Box<dyn FaceStream>> = None;
        progress.report(STAGE, 0, total)?;
        for (number, frame) in frames.enumerate() {
            if self.clips >= self.settings.clips_per_source {
                return Ok(());
            }
            let frame = match frame {
                Ok(frame) => fit(&frame.image, self.settings.size[0], self.settings.size[1])?,
                Err(error) => {
                    self.end_shot(&mut take);
                    return Err(error.into());
                }
            };
            if cuts.begins_shot(&frame) {
                self.end_shot(&mut take);
                stream = None;
            }
            let stream = match &mut stream {
                Some(stream) => stream,
                empty => empty.insert(self.tools.tracker.stream(&StreamOptions::default())?),
            };
            let at = rate.time_of(number as u64);
            if take.frames.is_empty() {
                take.start = at;
            }
            take.faces.push(stream.track(&frame, Duration::from_secs_f64(at))?);
            take.frames.push(frame);
            if take.frames.len() == self.settings.frames {
                self.finish(&std::mem::take(&mut take), progress)?;
            }
            progress.report(STAGE, number as u64 + 1, total)?;
        }
        self.end_shot(&mut take);
        Ok(())
    }

    /// What is left at the end of a shot is shorter than a clip.
    fn end_shot(&mut self, take: &mut Take) {
        let take = std::mem::take(take);
        if !take.frames.is_empty() {
            let detail = format!("a clip has {} frames", self.settings.frames);
            self.reject(Some(take.start), take.frames.len(), Reason::Short, detail, None);
        }
    }

    fn finish(&mut self, take: &Take, progress: Progress) -> Result<()> {
        // The same clip gets the same face whatever machine prepares it, and in whatever order.
        let number = self.id.bytes().fold(take.start.to_bits(), |state, byte| mix(state, byte.into()));
        match take.clip(self.settings, self.tools, number, progress)? {
            Err((reason, detail)) => self.reject(Some(take.start), take.frames.len(), reason, detail, None),
            Ok((clip, measure)) => {
                self.rows.push(Row::Clip(ClipRow {
                    source: self.name.clone(),
                    shard: self.shard(),
                    clip: self.waiting.len(),
                    start: take.start,
                    frames: clip.frames.len(),
                    measure,
                    latents: clip.latents.is_some(),
                    tokens: clip.tokens.is_some(),
                }));
                self.waiting.push(clip);
                self.clips += 1;
                if self.waiting.len() == self.settings.clips_per_shard {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn reject(
        &mut self,
        start: Option<f64>,
        frames: usize,
        reason: Reason,
        detail: String,
        measure: Option<super::Measure>,
    ) {
        self.rows.push(Row::Rejected(RejectedRow {
            source: self.name.clone(),
            start,
            frames,
            reason,
            detail,
            measure,
        }));
    }

    /// The shard that is being filled, relative to the directory.
    fn shard(&self) -> PathBuf {
        let number = (self.clips - self.waiting.len()) / self.settings.clips_per_shard;
        Path::new(super::manifest::SHARDS).join(format!("{}-{number:04}.safetensors", self.id))
    }

    /// Writes the clips that wait.
    fn flush(&mut self) -> Result<()> {
        if !self.waiting.is_empty() {
            shard::write(&self.directory.join(self.shard()), &self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }
}

/// What the files of a video are called: its name without what file systems dislike, and a number that tells videos
/// of one name in different folders apart.
pub(super) fn id(video: &Path) -> String {
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    let plain: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).take(40).collect();
    let number = video.to_string_lossy().bytes().fold(0, |state, byte| mix(state, byte.into()));
    format!("{plain}-{number:016x}")
}
