//! What is in a dataset, and what is not and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skyreels_core::output::write_file;
use skyreels_core::{Error as CoreError, Limits};

use super::filter::{Least, MotionRules, Reason};
use super::measure::{Distribution, Measure};
use super::settings::Settings;
use crate::{Error, Result};

/// Usual name of a manifest.
pub const MANIFEST: &str = "manifest.jsonl";
/// Folder of what became of each source.
pub(super) const PARTS: &str = "parts";
/// Folder of the clips.
pub(super) const SHARDS: &str = "shards";

const FORMAT: &str = "manifest of a dataset";

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "kebab-case")]
pub enum Row {
    /// A video that was prepared.
    Source(SourceRow),
    /// A clip of the dataset.
    Clip(ClipRow),
    /// Something that was left out.
    Rejected(RejectedRow),
}

/// A video that was prepared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRow {
    /// The video.
    pub source: String,
    /// Its size.
    pub bytes: u64,
    /// How it was prepared.
    pub settings: Settings,
}

/// A clip of the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClipRow {
    /// The video.
    pub source: String,
    /// The shard that holds it, relative to the manifest's folder.
    pub shard: PathBuf,
    /// Its number in the shard.
    pub clip: usize,
    /// Second of the video at which it begins.
    pub start: f64,
    /// Number of frames.
    pub frames: usize,
    /// How much it moves.
    pub measure: Measure,
    /// Whether its latents are kept.
    pub latents: bool,
    /// Whether its identity tokens are kept.
    pub tokens: bool,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// The video.
    pub source: String,
    /// Second of the video at which it begins; `None` for the video itself.
    pub start: Option<f64>,
    /// Number of frames.
    pub frames: usize,
    /// Why.
    pub reason: Reason,
    /// The numbers behind it.
    pub detail: String,
    /// How much it moves, where that was measured.
    pub measure: Option<Measure>,
}

/// What [`assemble`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Videos.
    pub sources: usize,
    /// Clips in the manifest.
    pub clips: usize,
    /// What was left out, by reason.
    pub rejected: BTreeMap<Reason, usize>,
    /// Ranges of the head's angles of all measured clips, in degrees.
    pub head: Distribution,
    /// Ranges of the gap between the lips of all measured clips, as shares of the mouth's width.
    pub mouth: Distribution,
    /// What a clip has to reach.
    pub least: Measure,
}

/// Writes one manifest of everything that `directories` have finished.
///
/// The thresholds of `rules` come from the clips of all directories together. Clips in the manifest's own folder are named relative to
/// it, those of other directories by their full path.
///
/// # Errors
/// [`Error::Core`] for parts that cannot be read and shards that are missing; [`Error::Invalid`] when sources were prepared
/// with different settings, or there is none.
pub fn assemble(directories: &[PathBuf], manifest: &Path, rules: &MotionRules) -> Result<Summary> {
    let limits = Limits::default();
    let mut rows = Vec::new();
    for directory in directories {
        let prefix = relative(directory, manifest)?;
        let folder = directory.join(PARTS);
        let entries = fs::read_dir(&folder).map_err(CoreError::io("read", &folder))?;
        let mut parts: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
            .collect();
        parts.sort();
        for part in parts {
            let mut part = read_rows(&part, &limits)?;
            for row in &mut part {
                let Row::Clip(clip) = row else { continue };
                let shard = directory.join(&clip.shard);
                fs::metadata(&shard).map_err(CoreError::io("find", &shard))?;
                clip.shard = prefix.join(&clip.shard);
            }
            rows.extend(part);
        }
    }
    one_setting(&rows)?;
    let measures = || rows.iter().filter_map(|row| if let Row::Clip(clip) = row { Some(clip.measure) } else { None });
    let head = Distribution::new(measures().map(|measure| measure.head).collect());
    let mouth = Distribution::new(measures().map(|measure| measure.mouth).collect());
    let least = Measure { head: rules.head.of(&head), mouth: rules.mouth.of(&mouth) };
    let rows: Vec<Row> = rows.into_iter().map(|row| filtered(row, Least(least))).collect();
    write_file(manifest, to_lines(&rows).as_bytes())?;

    let mut summary = Summary { sources: 0, clips: 0, rejected: BTreeMap::new(), head, mouth, least };
    for row in &rows {
        match row {
            Row::Source(_) => summary.sources += 1,
            Row::Clip(_) => summary.clips += 1,
            Row::Rejected(rejected) => *summary.rejected.entry(rejected.reason).or_default() += 1,
        }
    }
    Ok(summary)
}

/// A clip that does not move enough becomes a rejected one.
fn filtered(row: Row, least: Least) -> Row {
    let Row::Clip(clip) = &row else { return row };
    match least.check(&clip.measure) {
        Ok(()) => row,
        Err((reason, detail)) => Row::Rejected(RejectedRow {
            source: clip.source.clone(),
            start: Some(clip.start),
            frames: clip.frames,
            reason,
            detail,
            measure: Some(clip.measure),
        }),
    }
}

fn one_setting(rows: &[Row]) -> Result<()> {
    let mut sources = rows.iter().filter_map(|row| if let Row::Source(source) = row { Some(source) } else { None });
    let Some(first) = sources.next() else {
        let reason = "nothing is finished there; run `prepare` first".into();
        return Err(Error::Invalid { what: "directories", reason });
    };
    match sources.find(|source| source.settings != first.settings) {
        None => Ok(()),
        Some(other) => {
            let reason = format!("{} and {} were prepared with different settings", first.source, other.source);
            Err(Error::Invalid { what: "directories", reason })
        }
    }
}

/// What leads from the manifest's folder to a directory.
fn relative(directory: &Path, manifest: &Path) -> Result<PathBuf> {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::canonicalize(path).map_err(CoreError::io("find", path))
    };
    let (directory, folder) = (whole(directory)?, whole(manifest.parent().unwrap_or(Path::new(".")))?);
    Ok(directory.strip_prefix(&folder).map(Path::to_path_buf).unwrap_or(directory))
}

/// Reads a manifest.
///
/// # Errors
/// [`Error::Core`] when it cannot be read, is too large, or a line is no row.
pub fn read_manifest(path: &Path, limits: &Limits) -> Result<Vec<Row>> {
    Ok(read_rows(path, limits)?)
}

pub(super) fn read_rows(path: &Path, limits: &Limits) -> Result<Vec<Row>, CoreError> {
    let value = fs::metadata(path).map_err(CoreError::io("read", path))?.len();
    if value > limits.max_file_bytes {
        let help = "it is no manifest, or the dataset should be split".into();
        return Err(CoreError::Limit { path: path.into(), what: "size", value, limit: limits.max_file_bytes, help });
    }
    let text = fs::read_to_string(path).map_err(CoreError::io("read", path))?;
    let row = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| CoreError::malformed(path, FORMAT, format!("line {}: {error}", number + 1)))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(row).collect()
}

/// One row a line.
pub(super) fn to_lines(rows: &[Row]) -> String {
    let line = |row| serde_json::to_string(row).map(|line| line + "\n");
    rows.iter().map(|row| line(row).expect("rows have plain names and finite numbers")).collect()
}
