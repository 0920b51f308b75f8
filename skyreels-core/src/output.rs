//! Files that appear whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// A file under a temporary name beside its target.
///
/// It takes its final name in [`commit`](Self::commit), after being synced; dropped before that, it
/// disappears and whatever stood under the final name stays as it was.
#[derive(Debug)]
pub struct OutputFile {
    target: PathBuf,
    writer: BufWriter<NamedTempFile>,
}

impl OutputFile {
    /// Opens a temporary file in the directory of `target`.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory does not exist or cannot be written to.
    pub fn create(target: impl AsRef<Path>) -> Result<Self> {
        let target = target.as_ref().to_path_buf();
        if target.is_dir() {
            return Err(Error::invalid("output", format!("{} is a directory; name a file", target.display())));
        }
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let file = tempfile::Builder::new()
            .prefix(".skyreels-")
            .suffix(".part")
            .tempfile_in(&directory)
            .map_err(Error::io("write into", &directory))?;
        Ok(Self { target, writer: BufWriter::new(file) })
    }

    /// Path of the unfinished file, for programs that write by name.
    pub fn temporary_path(&self) -> &Path {
        self.writer.get_ref().path()
    }

    /// Syncs the content and gives the file its final name.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk is full or the target cannot be replaced; the target is untouched.
    pub fn commit(self) -> Result<()> {
        let Self { target, writer } = self;
        let file = writer.into_inner().map_err(|e| Error::io("write", &target)(e.into_error()))?;
        file.as_file().sync_all().map_err(Error::io("write", &target))?;
        // Temporary files are private to their owner; a result has the permissions of any new file.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&target).map_or(0o644, |m| m.permissions().mode() & 0o777);
            let _ = file.as_file().set_permissions(fs::Permissions::from_mode(mode));
        }
        file.persist(&target).map_err(|e| Error::io("rename to", &target)(e.error))?;
        Ok(())
    }

    /// Wraps an error of this writer with the final path.
    pub fn error(&self) -> impl FnOnce(std::io::Error) -> Error {
        Error::io("write", &self.target)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// Writes `bytes` to `target`, whole or not at all.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written.
pub fn write_file(target: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let mut file = OutputFile::create(target)?;
    if let Err(source) = file.write_all(bytes) {
        return Err(file.error()(source));
    }
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing_and_keeps_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.bin");
        write_file(&target, b"old").unwrap();
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_it() {
        let error = OutputFile::create("/nonexistent-directory/out.mp4").unwrap_err();
        assert!(error.to_string().contains("/nonexistent-directory"), "{error}");
    }
}
