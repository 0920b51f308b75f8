//! Where measurements outlive the run.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use skyreels_core::Error as CoreError;
use skyreels_core::hash::fnv1a;

use super::run::EvaluationOptions;
use crate::Result;
use crate::analysis::{ClipAnalysis, TruthScores, load, load_truth, save, save_truth};

/// Endings of kept files.
const CLIP: &str = "safetensors";
const TRUTH: &str = "truth.safetensors";

/// Where measurements are kept between runs.
pub(super) struct Store {
    directory: Option<PathBuf>,
    options: String,
}

impl Store {
    pub(super) fn open(options: &EvaluationOptions) -> Result<Self> {
        if let Some(directory) = &options.keep {
            std::fs::create_dir_all(directory).map_err(CoreError::io("create", directory))?;
        }
        Ok(Self { directory: options.keep.clone(), options: format!("{:?} {}", options.analysis, options.networks) })
    }

    /// What the measurements of a file depend on: its place, size and time, and the options.
    pub(super) fn fingerprint(&self, path: &Path) -> Option<String> {
        let about = std::fs::metadata(path).ok()?;
        let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(format!("{} {} {changed} {}", path.display(), about.len(), self.options))
    }

    /// A name that no other file of the run has: of the path, so that files of one name in two folders stay apart.
    fn place(&self, path: &Path, extension: &str) -> Option<PathBuf> {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        let hash = fnv1a(path.to_string_lossy().bytes());
        Some(self.directory.as_ref()?.join(format!("{stem}-{hash:016x}.{extension}")))
    }

    /// Of the result and the truth, so that several truths of one result stay apart.
    fn truth_place(&self, (result, truth): &Comparison) -> Option<PathBuf> {
        self.place(result, &format!("{:016x}.{TRUTH}", fnv1a(truth.to_string_lossy().bytes())))
    }

    pub(super) fn kept(&self, path: &Path) -> Option<ClipAnalysis> {
        load(&self.place(path, CLIP)?, &self.fingerprint(path)?)
    }

    /// Keeps what was measured on a file that had this fingerprint.
    pub(super) fn keep(&self, path: &Path, analysis: &ClipAnalysis, fingerprint: &str) -> Result<()> {
        self.place(path, CLIP).map_or(Ok(()), |place| save(&place, analysis, fingerprint))
    }

    pub(super) fn kept_truth(&self, key: &Comparison) -> Option<TruthScores> {
        load_truth(&self.truth_place(key)?, &joined(&self.fingerprint(&key.0)?, &self.fingerprint(&key.1)?))
    }

    pub(super) fn keep_truth(&self, key: &Comparison, scores: &TruthScores, fingerprint: &str) -> Result<()> {
        self.truth_place(key).map_or(Ok(()), |place| save_truth(&place, scores, fingerprint))
    }
}

/// A result and its truth.
pub(super) type Comparison = (PathBuf, PathBuf);

/// The fingerprint of a comparison.
pub(super) fn joined(result: &str, truth: &str) -> String {
    format!("{result} {truth}")
}
