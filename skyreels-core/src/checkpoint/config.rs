//! `config.json` files: required, and no silent defaults.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Error, Limits, Result};

/// Reads a published JSON configuration. Unknown fields are left alone; a missing field is an
/// error unless its type says what its absence means.
///
/// # Errors
/// [`Error::Io`] when the file is missing, [`Error::Limit`] when it is longer than a header may be by default
/// ([`Limits::max_header_bytes`]), [`Error::Config`] when a field is missing or of another type.
pub fn read_config<C: DeserializeOwned>(path: impl AsRef<Path>) -> Result<C> {
    let path = path.as_ref();
    let text = read_text(path, &Limits::default())?;
    serde_json::from_slice(&text).map_err(|error| Error::Config { path: path.to_path_buf(), reason: error.to_string() })
}

/// The bytes of a description beside the weights, which may be as long as the header of a shard.
pub(super) fn read_text(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let limit = limits.max_header_bytes;
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut bytes = Vec::new();
    file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    let length = bytes.len() as u64;
    if length > limit {
        return Err(Error::Limit {
            path: path.to_path_buf(),
            what: "its length in bytes",
            value: file.metadata().map_or(length, |metadata| metadata.len().max(length)),
            limit,
            help: "the file is damaged or not a description of a model".into(),
        });
    }
    Ok(bytes)
}
