//! Many videos, one after another, again and again until all are done.

use std::fs;
use std::path::{Path, PathBuf};

use skyreels_core::output::write_file;
use skyreels_core::{Error as CoreError, Limits, Progress};

use super::clip::Tools;
use super::manifest::{PARTS, Row, SHARDS, SourceRow, read_rows, to_lines};
use super::settings::{Settings, Share};
use super::source::{Source, id};
use crate::Result;

/// What became of one video.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The video.
    pub source: PathBuf,
    /// Its rows, as they stand in its part of the manifest.
    pub rows: Vec<Row>,
    /// It was finished before, and not looked at again.
    pub resumed: bool,
}

/// Prepares this machine's share of `videos` in `directory`, and tells `done` about each of them.
///
/// A video that `directory` has finished before with the same settings is not prepared again; one that was interrupted is,
/// from its beginning. Nothing that other machines prepare in the same directory is touched. Every machine must be given
/// the same videos in the same order.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) for settings that make no sense; errors of the disk, the device and the networks;
/// when `progress` asks to stop. A video that cannot be decoded is no error but a rejection.
pub fn prepare(
    videos: &[PathBuf],
    directory: &Path,
    share: Share,
    settings: &Settings,
    tools: &Tools,
    mut done: impl FnMut(&Prepared),
    progress: Progress,
) -> Result<()> {
    settings.validate()?;
    for folder in [PARTS, SHARDS] {
        let folder = directory.join(folder);
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
    }
    let limits = Limits::default();
    for (_, video) in videos.iter().enumerate().filter(|(number, _)| share.holds(*number)) {
        let bytes = fs::metadata(video).map_err(CoreError::io("read", video))?.len();
        let source =
            Row::Source(SourceRow { source: video.to_string_lossy().into_owned(), bytes, settings: *settings });
        let part = directory.join(PARTS).join(format!("{}.jsonl", id(video)));
        // A part that is damaged or of other settings is written anew.
        let finished = read_rows(&part, &limits).ok().filter(|rows| rows.first() == Some(&source));
        if let Some(rows) = finished {
            done(&Prepared { source: video.clone(), rows, resumed: true });
            continue;
        }
        let mut work = Source::new(video, directory, settings, tools);
        work.rows.push(source);
        work.run(video, &limits, progress)?;
        write_file(&part, to_lines(&work.rows).as_bytes())?;
        done(&Prepared { source: video.clone(), rows: work.rows, resumed: false });
    }
    Ok(())
}
