//! Every other codec and container, by the `ffprobe` and `ffmpeg` programs found on the `PATH`.
//!
//! Programs get argument vectors, never a shell line; pictures come back as RGB over a pipe.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::ffprobe::Description;
use super::sampling::FrameTimes;
use super::video::{DecodedFrame, VideoInfo};
use crate::{Error, Frame, Limits, Result};

/// Longest header of a PPM picture that `ffmpeg` writes.
const MAX_HEADER: usize = 64;
/// What is kept of the program's complaints.
const MAX_MESSAGE: u64 = 2_000;
/// Every decoded frame of the first video track, once, as a PPM picture.
const PICTURES: [&str; 11] =
    ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "pipe:1"];

/// Frames of one file, from a running `ffmpeg`.
pub(super) struct FfmpegReader {
    program: Program,
    size: (u32, u32),
    times: FrameTimes,
    max_frames: u64,
    index: u64,
}

impl FfmpegReader {
    /// Starts the program on `path`; `None` when it is not installed.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Option<(Self, VideoInfo)>> {
        let length = fs::metadata(path).map_err(Error::io("read", path))?.len();
        if length > limits.max_file_bytes {
            return Err(limit(path, "the file size in bytes", length, limits.max_file_bytes));
        }
        let Some(Description { size, rotation, frame_rate, times, has_audio }) = Description::of(path, limits)? else {
            return Ok(None);
        };
        let frames = times.times.len() as u64;
        let info = VideoInfo {
            width: size.0,
            height: size.1,
            frames,
            frame_rate,
            duration: frame_rate.time_of(frames),
            rotation,
            has_audio,
        };
        let Some(program) = Program::start("ffmpeg", path, &PICTURES)? else { return Ok(None) };
        Ok(Some((Self { program, size, times, max_frames: limits.max_frames, index: 0 }, info)))
    }

    /// When the frames are on the screen.
    pub(super) fn frame_times(&self) -> FrameTimes {
        self.times.clone()
    }

    /// The next frame; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<DecodedFrame>> {
        let Some(size) = self.header()? else { return self.end().map(|()| None) };
        if size != self.size {
            return Err(self.bad(format!("its frames change from {:?} to {size:?}", self.size)));
        }
        // A packet may hold more frames than ffprobe has counted.
        if self.index >= self.max_frames {
            return Err(limit(&self.program.path, "the number of its frames", self.index + 1, self.max_frames));
        }
        let mut pixels = vec![0; size.0 as usize * size.1 as usize * 3];
        if self.program.pipe.read_exact(&mut pixels).is_err() {
            self.end()?;
            return Err(self.bad("the last picture is cut off".into()));
        }
        let image =
            Frame::from_raw(size.0, size.1, pixels).ok_or_else(|| self.bad("a picture without pixels".into()))?;
        let time_seconds = self.times.times.get(self.index as usize).copied().unwrap_or(self.times.end);
        let frame = DecodedFrame { index: self.index, time_seconds, image };
        self.index += 1;
        Ok(Some(frame))
    }

    /// Size from the header of a PPM picture: `P6 WIDTH HEIGHT 255`, each followed by one white space.
    fn header(&mut self) -> Result<Option<(u32, u32)>> {
        let mut words = Vec::new();
        let mut word = String::new();
        for read in 0..MAX_HEADER {
            let mut byte = [0];
            if self.program.pipe.read(&mut byte).map_err(Error::io("read from ffmpeg", &self.program.path))? == 0 {
                return if read == 0 { Ok(None) } else { Err(self.bad("the last picture is cut off".into())) };
            }
            if !byte[0].is_ascii_whitespace() {
                word.push(byte[0].into());
                continue;
            }
            words.push(std::mem::take(&mut word));
            if let [magic, width, height, depth] = words.as_slice() {
                return match (magic.as_str(), width.parse(), height.parse(), depth.as_str()) {
                    ("P6", Ok(width), Ok(height), "255") => Ok(Some((width, height))),
                    _ => break,
                };
            }
        }
        Err(self.bad("ffmpeg gives something else than pictures".into()))
    }

    /// Waits for the program and turns its complaint into an error.
    fn end(&mut self) -> Result<()> {
        if self.program.succeeds()? && self.index > 0 {
            return Ok(());
        }
        let message = self.program.message();
        Err(self.bad(format!("ffmpeg after {} frames: {message}", self.index)))
    }

    fn bad(&self, reason: String) -> Error {
        Error::malformed(&self.program.path, "video", reason)
    }
}

/// A program at work on a file.
pub(super) struct Program {
    name: &'static str,
    path: PathBuf,
    child: Child,
    /// What it complains about; a file, because a full pipe would stop it while we wait for its answer.
    complaints: File,
    pipe: BufReader<ChildStdout>,
}

impl Program {
    /// Starts a program; `None` when it is not installed. The file name can neither be taken for an option nor for a
    /// protocol.
    pub(super) fn start(name: &'static str, path: &Path, arguments: &[&str]) -> Result<Option<Self>> {
        let mut url = std::ffi::OsString::from("file:");
        url.push(path);
        let complaints = tempfile::tempfile().map_err(Error::io("write into", std::env::temp_dir()))?;
        let stderr = complaints.try_clone().map_err(Error::io("write into", std::env::temp_dir()))?;
        let child = Command::new(name)
            .args(["-v", "error"])
            .args([OsStr::new("-protocol_whitelist"), OsStr::new("file,pipe"), OsStr::new("-i"), &url])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("run a program on", path)(error)),
        };
        let Some(pipe) = child.stdout.take() else {
            return Err(Error::malformed(path, "video", format!("{name} gives no answer")));
        };
        Ok(Some(Self { name, path: path.to_path_buf(), child, complaints, pipe: BufReader::new(pipe) }))
    }

    /// All that the program says, when it ends well and says at most `length` bytes.
    pub(super) fn answer(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut pipe = self.pipe.by_ref().take(length.saturating_add(1));
        pipe.read_to_end(&mut bytes).map_err(Error::io("read from a program about", &self.path))?;
        if bytes.len() as u64 > length {
            return Err(limit(&self.path, "the length of its description in bytes", bytes.len() as u64, length));
        }
        if self.succeeds()? {
            return Ok(bytes);
        }
        let message = self.message();
        Err(Error::malformed(&self.path, "video", format!("{}: {message}", self.name)))
    }

    /// Waits for its end.
    fn succeeds(&mut self) -> Result<bool> {
        Ok(self.child.wait().map_err(Error::io("run a program on", &self.path))?.success())
    }

    fn message(&mut self) -> String {
        let mut message = Vec::new();
        // What cannot be read of the complaint is left out.
        let _ = self.complaints.rewind();
        let _ = (&self.complaints).take(MAX_MESSAGE).read_to_end(&mut message);
        String::from_utf8_lossy(&message).trim().to_string()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn limit(path: &Path, what: &'static str, value: u64, limit: u64) -> Error {
    Error::Limit { path: path.to_path_buf(), what, value, limit, help: "scale or cut the video first".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Progress;
    use crate::media::{FrameRate, VideoOptions, write_clip};

    fn clip(folder: &Path) -> PathBuf {
        let path = folder.join("clip.mp4");
        let frames = (0..6).map(|_| Ok(Frame::new(32, 32)));
        write_clip(&path, frames, FrameRate::NATIVE, None, &VideoOptions::default(), Progress::none()).unwrap();
        path
    }

    #[test]
    fn frames_that_were_not_announced_count_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = clip(folder.path());
        let Some((mut reader, info)) = FfmpegReader::open(&path, &Limits::default()).unwrap() else {
            return println!("skipped: ffmpeg is not installed");
        };
        assert_eq!(info.frames, 6);
        reader.max_frames = 4;
        assert!((0..4).all(|_| reader.next().unwrap().is_some()));
        let error = reader.next().unwrap_err();
        assert!(matches!(error, Error::Limit { value: 5, limit: 4, .. }), "{error}");
    }

    #[test]
    fn an_answer_without_end_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = clip(folder.path());
        let entries = ["-show_entries", "packet=pts_time", "-of", "json"];
        let answer = |length| Some(Program::start("ffprobe", &path, &entries).unwrap()?.answer(length));
        let Some(whole) = answer(1 << 20) else { return println!("skipped: ffprobe is not installed") };
        let length = whole.unwrap().len() as u64;
        assert!(answer(length).unwrap().is_ok());
        assert!(matches!(answer(length - 1).unwrap(), Err(Error::Limit { .. })));
    }
}
