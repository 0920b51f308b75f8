//! Files that appear whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Mode that a program asks for when it makes a file; the umask takes its part away.
#[cfg(unix)]
const NEW_FILE_MODE: u32 = 0o666;

/// A file under a temporary name beside its target.
///
/// It takes its final name in [`commit`](Self::commit), after being synced; dropped before that, it
/// disappears and whatever stood under the final name stays as it was.
#[derive(Debug)]
pub struct OutputFile {
    target: PathBuf,
    /// Those of the file that is replaced, else those of any new file.
    permissions: fs::Permissions,
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
        let directory = directory_of(&target);
        let replaced = fs::metadata(&target).ok().map(|metadata| metadata.permissions());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".skyreels-").suffix(".part");
        // What replaces a private file must not be open to others while it is written.
        #[cfg(unix)]
        if replaced.is_none() {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(NEW_FILE_MODE));
        }
        let refused = || Error::io("write into", directory);
        let file = builder.tempfile_in(directory).map_err(refused())?;
        let permissions = match replaced {
            Some(permissions) => permissions,
            None => file.as_file().metadata().map_err(refused())?.permissions(),
        };
        Ok(Self { target, permissions, writer: BufWriter::new(file) })
    }

    /// Path of the unfinished file, for programs that write by name. They may put another file in its place.
    pub fn temporary_path(&self) -> &Path {
        self.writer.get_ref().path()
    }

    /// Puts everything written so far on the disk, so that little but the name is missing.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk is full.
    pub fn sync(&mut self) -> Result<()> {
        self.writer.flush().map_err(Error::io("write", &self.target))?;
        // By name: what was written by name may be another file than the one that was opened.
        let written = fs::OpenOptions::new().write(true).open(self.temporary_path());
        written.and_then(|file| file.sync_all()).map_err(Error::io("write", &self.target))
    }

    /// Syncs the content and gives the file its final name.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk is full or the target cannot be replaced; the target is untouched.
    pub fn commit(mut self) -> Result<()> {
        self.sync()?;
        let Self { target, permissions, writer } = self;
        let (file, _) = writer.into_parts();
        // Not every file system has permissions.
        let _ = fs::set_permissions(file.path(), permissions);
        file.persist(&target).map_err(|e| Error::io("rename to", &target)(e.error))?;
        sync_directory(directory_of(&target));
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

/// Makes the renames and removals in a directory durable.
pub(crate) fn sync_directory(directory: &Path) {
    // Not every system can sync a directory; the files in it are synced already.
    #[cfg(unix)]
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
    #[cfg(not(unix))]
    let _ = directory;
}

/// The directory that holds `path`.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_mode_of_any_new_file_and_a_replacement_that_of_the_old() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let plain = directory.path().join("plain");
        fs::write(&plain, b"").unwrap();
        let target = directory.path().join("out.bin");
        write_file(&target, b"new").unwrap();
        assert_eq!(mode(&target), mode(&plain));
        for own in [0o600, 0o640, 0o666, 0o755] {
            fs::set_permissions(&target, fs::Permissions::from_mode(own)).unwrap();
            let file = OutputFile::create(&target).unwrap();
            assert_eq!(mode(file.temporary_path()) & 0o077, 0, "nobody else reads a replacement before it is one");
            drop(file);
            write_file(&target, b"newer").unwrap();
            assert_eq!(mode(&target) & 0o777, own);
        }
        assert_eq!(fs::read(&target).unwrap(), b"newer");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_took_the_place_of_the_temporary_one_is_what_is_committed() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out.bin");
        let file = OutputFile::create(&target).unwrap();
        let expected = fs::metadata(file.temporary_path()).unwrap().permissions().mode();
        let other = directory.path().join("other");
        fs::write(&other, b"by name").unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&other, file.temporary_path()).unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"by name");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode(), expected);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
