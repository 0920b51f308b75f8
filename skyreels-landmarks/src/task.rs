//! MediaPipe's `.task` bundle: a zip of stored (uncompressed) members.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use skyreels_core::{Error, Limits, Result};
use zip::CompressionMethod;
use zip::read::ZipArchive;
use zip::result::ZipError;

/// Format name in errors.
const FORMAT: &str = "MediaPipe face landmarker bundle";
/// No face bundle comes near this (the published one has 3.8 MB); a tighter [`Limits::max_file_bytes`] wins.
const MAX_BUNDLE_BYTES: u64 = 64 << 20;
/// What to do about a bundle that cannot be used.
const HELP: &str = "use the published face_landmarker_v2_with_blendshapes.task";

/// The members of a face landmarker bundle, checked against their CRC.
pub(crate) struct FaceTask {
    path: PathBuf,
    /// BlazeFace, short range.
    pub(crate) detector: Vec<u8>,
    /// 478 points from a face crop.
    pub(crate) landmarks: Vec<u8>,
    /// 52 expression scores from 146 points.
    pub(crate) blendshapes: Vec<u8>,
    /// Canonical face mesh and Procrustes weights.
    pub(crate) geometry: Vec<u8>,
}

impl FaceTask {
    /// Reads the four members of a bundle.
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let bytes = read_file(path, limits.max_file_bytes.min(MAX_BUNDLE_BYTES))?;
        let mut archive =
            ZipArchive::new(Cursor::new(&bytes[..])).map_err(|e| malformed(path, format!("no zip archive: {e}")))?;
        let whole = bytes.len() as u64;
        let mut member = |name| member(&mut archive, whole, path, name);
        Ok(Self {
            path: path.to_path_buf(),
            detector: member("face_detector.tflite")?,
            landmarks: member("face_landmarks_detector.tflite")?,
            blendshapes: member("face_blendshapes.tflite")?,
            geometry: member("geometry_pipeline_metadata_landmarks.binarypb")?,
        })
    }

    /// An error about one member.
    pub(crate) fn malformed(&self, name: &str, reason: impl std::fmt::Display) -> Error {
        malformed(&self.path, format!("{name}: {reason}"))
    }

    /// An error about a member that needs more than this crate has.
    pub(crate) fn unsupported(&self, name: &str, what: impl std::fmt::Display) -> Error {
        unsupported(&self.path, format!("{name}: {what}"))
    }
}

fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("open the face landmarker bundle", path))?;
    let metadata = file.metadata().map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(malformed(path, "it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > limit {
        let (what, value) = ("the size in bytes", metadata.len().max(bytes.len() as u64));
        return Err(Error::Limit { path: path.to_path_buf(), what, value, limit, help: HELP.to_owned() });
    }
    Ok(bytes)
}

fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, whole: u64, path: &Path, name: &str) -> Result<Vec<u8>> {
    let file = archive.by_name(name).map_err(|error| match error {
        ZipError::FileNotFound => malformed(path, format!("it has no member `{name}`; {HELP}")),
        ZipError::UnsupportedArchive(_) => unsupported(path, format!("`{name}` compressed or encrypted")),
        error => malformed(path, format!("{name}: {error}")),
    })?;
    if file.compression() != CompressionMethod::Stored {
        return Err(unsupported(path, format!("`{name}` compressed by {}", file.compression())));
    }
    // A stored member cannot be larger than the archive, whatever it claims.
    if file.size() > whole {
        return Err(malformed(path, format!("`{name}` claims {} bytes in an archive of {whole}", file.size())));
    }
    let mut bytes = Vec::with_capacity(file.size() as usize);
    file.take(whole).read_to_end(&mut bytes).map_err(|error| malformed(path, format!("{name}: {error}")))?;
    Ok(bytes)
}

fn malformed(path: &Path, reason: String) -> Error {
    Error::malformed(path, FORMAT, reason)
}

fn unsupported(path: &Path, what: String) -> Error {
    Error::Unsupported { path: path.to_path_buf(), what, help: HELP.to_owned() }
}
