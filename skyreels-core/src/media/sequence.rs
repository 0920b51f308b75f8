//! Clips as animated GIF and as numbered PNG files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, ImageError};
use tempfile::TempDir;

use super::FrameRate;
use super::picture::png_bytes;
use crate::output::{OutputFile, directory_of, sync_directory};
use crate::{Error, Frame, Result};

/// GIF counts time in hundredths of a second, and players slow down frames shorter than two of them.
const MILLISECONDS_PER_TICK: u64 = 10;
const MAX_GIF_RATE: f64 = 50.0;
/// Effort of the palette search, from 1 (best) to 30 (fastest).
const GIF_SPEED: i32 = 10;
/// Mode that a program asks for when it makes a folder; the umask takes its part away.
#[cfg(unix)]
const NEW_FOLDER_MODE: u32 = 0o777;

/// Writes an endless GIF; delays are spread so that the clip as a whole keeps its rate.
pub(super) struct GifWriter {
    path: PathBuf,
    output: Shared,
    encoder: GifEncoder<Shared>,
    rate: FrameRate,
    frames: u64,
}

impl GifWriter {
    /// Refuses rates that a GIF does not have.
    pub(super) fn check_rate(rate: FrameRate) -> Result<()> {
        if rate.as_f64() > MAX_GIF_RATE {
            let reason = format!("{rate} is above {MAX_GIF_RATE}, the most that a GIF can show; write an mp4");
            return Err(Error::invalid("frame rate", reason));
        }
        Ok(())
    }

    pub(super) fn new(output: OutputFile, path: &Path, rate: FrameRate) -> Result<Self> {
        Self::check_rate(rate)?;
        let output = Shared(Arc::new(Mutex::new(Some(output))));
        let mut encoder = GifEncoder::new_with_speed(output.clone(), GIF_SPEED);
        encoder.set_repeat(Repeat::Infinite).map_err(|e| of_gif(path, e))?;
        Ok(Self { path: path.to_path_buf(), output, encoder, rate, frames: 0 })
    }

    pub(super) fn push(&mut self, image: &Frame) -> Result<()> {
        let tick = |frame: u64| (self.rate.time_of(frame) * 1_000.0 / MILLISECONDS_PER_TICK as f64).round() as u64;
        let ticks = tick(self.frames + 1) - tick(self.frames);
        let delay = Delay::from_numer_denom_ms((ticks * MILLISECONDS_PER_TICK).min(u32::MAX.into()) as u32, 1);
        let pixels = DynamicImage::ImageRgb8(image.clone()).into_rgba8();
        let frame = image::Frame::from_parts(pixels, 0, 0, delay);
        self.encoder.encode_frame(frame).map_err(|e| of_gif(&self.path, e))?;
        self.frames += 1;
        Ok(())
    }

    pub(super) fn finish(self) -> Result<u64> {
        // The encoder writes the end mark when it goes.
        drop(self.encoder);
        let output = self.output.lock().take();
        output.ok_or_else(|| Error::invalid("GIF", "it was finished before"))?.commit()?;
        Ok(self.frames)
    }
}

fn of_gif(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::IoError(source) => Error::io("write", path)(source),
        other => Error::invalid("GIF", other.to_string()),
    }
}

/// The file, held by the encoder and by us: the encoder does not give it back.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<OutputFile>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<OutputFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().as_mut().map_or(Ok(()), OutputFile::flush)
    }
}

/// Writes `%04d` style names, or `frame_00000.png` and so on into a folder of its own.
///
/// All files are written into a hidden folder first, which is removed when the clip is not finished.
pub(super) struct PngWriter {
    folder: PathBuf,
    pattern: Pattern,
    /// Where the files wait.
    hidden: TempDir,
    own_folder: bool,
    frames: u64,
}

impl PngWriter {
    /// `path` is a folder, or a pattern with one `%d` or `%0Nd` in its last part.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let pattern = path.file_name().and_then(|name| Pattern::parse(&name.to_string_lossy()));
        let (folder, pattern, own_folder) = match pattern {
            Some(pattern) => (parent(path), pattern, false),
            None => (path.to_path_buf(), Pattern::default(), true),
        };
        let mut beside = folder.clone();
        if own_folder && !folder.exists() {
            beside = parent(&folder);
        } else if own_folder {
            let mut entries = fs::read_dir(&folder).map_err(Error::io("read", &folder))?;
            if entries.next().is_some() {
                let reason = format!("the folder {} is not empty; name a new one", folder.display());
                return Err(Error::invalid("output", reason));
            }
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".skyreels-").suffix(".part");
        // It may become the folder itself, which has the mode of any new folder.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(NEW_FOLDER_MODE));
        let hidden = builder.tempdir_in(&beside).map_err(Error::io("write into", &beside))?;
        Ok(Self { folder, pattern, hidden, own_folder, frames: 0 })
    }

    pub(super) fn push(&mut self, image: &Frame) -> Result<()> {
        let path = self.hidden.path().join(self.pattern.name(self.frames));
        let bytes = png_bytes(image)?;
        let write = |mut file: File| file.write_all(&bytes).and_then(|()| file.sync_all());
        File::create(&path).and_then(write).map_err(Error::io("write", &path))?;
        self.frames += 1;
        Ok(())
    }

    /// Gives all files their names, or none.
    pub(super) fn finish(self) -> Result<u64> {
        let frames = self.frames;
        if self.own_folder && !self.folder.exists() {
            sync_directory(self.hidden.path());
            fs::rename(self.hidden.path(), &self.folder).map_err(Error::io("rename to", &self.folder))?;
            // It has another name now, under which it stays.
            let _ = self.hidden.keep();
            sync_directory(directory_of(&self.folder));
            return Ok(frames);
        }
        let mut placed = Vec::new();
        for frame in 0..frames {
            if let Err(error) = self.place(&self.pattern.name(frame), &mut placed) {
                for Placed { target, replaced } in placed.into_iter().rev() {
                    // The error that led here is the one to report.
                    let _ = match replaced {
                        Some(old) => fs::rename(old, target),
                        None => fs::remove_file(target),
                    };
                }
                return Err(error);
            }
        }
        sync_directory(&self.folder);
        Ok(frames)
    }

    /// Moves the file `name` to its place. What stood there goes into the hidden folder for as long as it may have to come
    /// back.
    fn place(&self, name: &str, placed: &mut Vec<Placed>) -> Result<()> {
        let target = self.folder.join(name);
        let fail = || Error::io("rename to", &target);
        if target.is_dir() {
            return Err(fail()(io::ErrorKind::IsADirectory.into()));
        }
        let aside = self.hidden.path().join(format!("old-{name}"));
        let replaced = target.symlink_metadata().is_ok().then_some(aside);
        if let Some(aside) = &replaced {
            fs::rename(&target, aside).map_err(fail())?;
        }
        let result = fs::rename(self.hidden.path().join(name), &target).map_err(fail());
        // Also when it has failed: then the old file has to come back.
        placed.push(Placed { target, replaced });
        result
    }
}

/// A name that has got its file, or lost the one it had.
struct Placed {
    target: PathBuf,
    /// Where the file is that had this name before.
    replaced: Option<PathBuf>,
}

fn parent(path: &Path) -> PathBuf {
    directory_of(path).to_path_buf()
}

/// A file name with a number in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    before: String,
    digits: usize,
    after: String,
}

impl Default for Pattern {
    fn default() -> Self {
        Self { before: "frame_".into(), digits: 5, after: ".png".into() }
    }
}

impl Pattern {
    /// Longest number asked for by a pattern.
    const MAX_DIGITS: usize = 20;

    fn parse(name: &str) -> Option<Self> {
        let (before, rest) = name.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let digits = if digits.is_empty() { 0 } else { digits.parse().ok().filter(|d| *d <= Self::MAX_DIGITS)? };
        Some(Self { before: before.into(), digits, after: after.into() })
    }

    fn name(&self, number: u64) -> String {
        format!("{}{number:0digits$}{}", self.before, self.after, digits = self.digits)
    }
}

/// Whether `path` names numbered files.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|name| Pattern::parse(&name.to_string_lossy()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_number_as_printf_does() {
        assert_eq!(Pattern::parse("a%04d.png").unwrap().name(7), "a0007.png");
        assert_eq!(Pattern::parse("%d.png").unwrap().name(12), "12.png");
        assert_eq!(Pattern::parse("plain.png"), None);
        assert_eq!(Pattern::parse("%99d.png"), None);
    }
}
