//! `config.json` files: required, and no silent defaults.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Reads a published JSON configuration. Unknown fields are left alone; a missing field is an
/// error unless its type says what its absence means.
///
/// # Errors
/// [`Error::Io`] when the file is missing, [`Error::Config`] when a field is missing or of another
/// type.
pub fn read_config<C: DeserializeOwned>(path: impl AsRef<Path>) -> Result<C> {
    let path = path.as_ref();
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| Error::Config { path: path.to_path_buf(), reason: error.to_string() })
}
