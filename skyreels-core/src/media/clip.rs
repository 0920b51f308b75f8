//! One entry for writing a clip: the name says the format.

use std::path::{Path, PathBuf};

use super::encode::{VideoOptions, VideoWriter, WrittenClip};
use super::mux::Clock;
use super::sequence::{GifWriter, PngWriter, is_pattern};
use super::{FrameRate, Sound};
use crate::output::OutputFile;
use crate::{Error, Frame, Limits, Progress, Result};

/// Name of this operation in progress reports.
const STAGE: &str = "encode";

/// Writes frames as a clip; the name decides how, as [`ClipFormat::of`] says.
///
/// Frames are taken one by one. Nothing stands under the final name before everything is written; when a frame, the
/// disk or `progress` ends it early, nothing is left.
///
/// # Errors
/// The first error among the frames; those of [`ClipWriter`]; for the sound see [`Sound::open`]: it is opened before
/// the first frame is asked for. [`Error::Cancelled`].
pub fn write_clip<I>(
    path: impl AsRef<Path>,
    frames: I,
    frame_rate: FrameRate,
    audio_from: Option<&Path>,
    options: &VideoOptions,
    progress: Progress<'_>,
) -> Result<WrittenClip>
where
    I: IntoIterator<Item = Result<Frame>>,
{
    let mut writer = ClipWriter::create(path, frame_rate, options)?;
    if let (true, Some(source)) = (writer.format().carries_sound(), audio_from) {
        writer = writer.with_sound(Sound::open(source, &Limits::default())?);
    }
    for (frame, count) in frames.into_iter().zip(1..) {
        writer.push(&frame?)?;
        progress.report(STAGE, count, None)?;
    }
    writer.finish()
}

/// Refuses a clip that could not be written in the end: an unknown extension, a rate that the format does not have, a
/// place that cannot be written to. Leaves nothing behind.
///
/// For long work whose result is a clip: better refused before than after it.
///
/// # Errors
/// Those of [`ClipWriter::create`].
pub fn check_clip_target(path: impl AsRef<Path>, frame_rate: FrameRate) -> Result<ClipFormat> {
    Ok(ClipWriter::create(path, frame_rate, &VideoOptions::default())?.format())
}

/// What a clip is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipFormat {
    /// H.264 in MP4, with sound.
    Mp4,
    /// Endless GIF.
    Gif,
    /// Numbered PNG files.
    Png,
}

impl ClipFormat {
    /// The format that a name stands for.
    ///
    /// | `path` | what is written |
    /// |---|---|
    /// | `.mp4`, `.m4v` | H.264, with sound where there is any |
    /// | `.gif` | endless GIF |
    /// | `.png` with `%d` or `%04d` in the name | numbered PNG files |
    /// | no extension | a folder of numbered PNG files, new or empty |
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other name.
    pub fn of(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("mp4" | "m4v") => Ok(Self::Mp4),
            Some("gif") => Ok(Self::Gif),
            Some("png") if is_pattern(path) => Ok(Self::Png),
            None => Ok(Self::Png),
            Some(_) => {
                let reason =
                    format!("{} is neither .mp4, .gif, a pattern like frame_%04d.png, nor a folder", path.display());
                Err(Error::invalid("output", reason))
            }
        }
    }

    /// Whether sound can go along.
    pub fn carries_sound(self) -> bool {
        self == Self::Mp4
    }
}

/// Writes a clip frame by frame; the name decides how, as [`ClipFormat::of`] says.
///
/// It takes its name in [`finish`](Self::finish); dropped before that, nothing is left.
///
/// ```no_run
/// use skyreels_core::Frame;
/// use skyreels_core::media::{ClipWriter, FrameRate, VideoOptions};
///
/// let mut writer = ClipWriter::create("out.gif", FrameRate::NATIVE, &VideoOptions::default())?;
/// for _ in 0..48 {
///     writer.push(&Frame::new(720, 480))?;
/// }
/// writer.finish()?;
/// # Ok::<(), skyreels_core::Error>(())
/// ```
pub struct ClipWriter {
    path: PathBuf,
    format: ClipFormat,
    rate: FrameRate,
    options: VideoOptions,
    sound: Option<Sound>,
    size: Option<(u32, u32)>,
    frames: u64,
    /// The file, until the size of the frames is known.
    place: Option<OutputFile>,
    encoder: Option<Encoder>,
}

enum Encoder {
    Mp4(Box<VideoWriter>),
    Gif(GifWriter),
    Png(PngWriter),
}

impl ClipWriter {
    /// Opens a clip beside `path`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown extension, for a rate that the format does not have, when `path` is a
    /// directory that cannot be used; [`Error::Io`] when the place cannot be written to.
    pub fn create(path: impl AsRef<Path>, frame_rate: FrameRate, options: &VideoOptions) -> Result<Self> {
        let path = path.as_ref();
        let format = ClipFormat::of(path)?;
        let (mut place, mut encoder) = (None, None);
        match format {
            ClipFormat::Mp4 => {
                Clock::new(frame_rate)?;
                place = Some(OutputFile::create(path)?);
            }
            ClipFormat::Gif => {
                GifWriter::check_rate(frame_rate)?;
                place = Some(OutputFile::create(path)?);
            }
            ClipFormat::Png => encoder = Some(Encoder::Png(PngWriter::new(path)?)),
        }
        let path = path.to_path_buf();
        Ok(Self {
            path,
            format,
            rate: frame_rate,
            options: *options,
            sound: None,
            size: None,
            frames: 0,
            place,
            encoder,
        })
    }

    /// Lets sound go along, where the format has any.
    #[must_use]
    pub fn with_sound(mut self, sound: Option<Sound>) -> Self {
        self.sound = sound.filter(|_| self.format.carries_sound());
        self
    }

    /// What is written.
    pub fn format(&self) -> ClipFormat {
        self.format
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the picture has another size than those before it, or one that cannot be encoded;
    /// [`Error::Io`] when the disk is full.
    pub fn push(&mut self, frame: &Frame) -> Result<()> {
        let size = *self.size.get_or_insert(frame.dimensions());
        if size != frame.dimensions() {
            let reason = format!("frame {} is {:?}, those before it are {size:?}", self.frames, frame.dimensions());
            return Err(Error::invalid("frame", reason));
        }
        if let Some(place) = self.place.take() {
            self.encoder = Some(self.started(place, size)?);
        }
        match &mut self.encoder {
            None => return Err(Error::invalid("clip", format!("{} has failed before", self.path.display()))),
            Some(Encoder::Mp4(writer)) => writer.push(frame)?,
            Some(Encoder::Gif(writer)) => writer.push(frame)?,
            Some(Encoder::Png(writer)) => writer.push(frame)?,
        }
        self.frames += 1;
        Ok(())
    }

    /// Goes to work once the size is known.
    fn started(&mut self, place: OutputFile, (width, height): (u32, u32)) -> Result<Encoder> {
        if self.format == ClipFormat::Gif {
            return Ok(Encoder::Gif(GifWriter::new(place, &self.path, self.rate)?));
        }
        let mut writer = VideoWriter::in_file(place, &self.path, width, height, self.rate, &self.options)?;
        if let Some(sound) = self.sound.take() {
            writer = writer.with_sound(sound);
        }
        Ok(Encoder::Mp4(Box::new(writer)))
    }

    /// Encodes what is left, writes the clip and gives it its name.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no frame was pushed, [`Error::Io`] when it cannot be written; nothing is left then.
    pub fn finish(self) -> Result<WrittenClip> {
        let frames = match self.encoder {
            _ if self.frames == 0 => {
                let reason = format!("there is no frame to write into {}", self.path.display());
                return Err(Error::invalid("clip", reason));
            }
            None => return Err(Error::invalid("clip", format!("{} has failed before", self.path.display()))),
            Some(Encoder::Mp4(writer)) => return writer.finish(),
            Some(Encoder::Gif(writer)) => writer.finish()?,
            Some(Encoder::Png(writer)) => writer.finish()?,
        };
        Ok(WrittenClip { frames, audio_packets: 0 })
    }
}

impl std::fmt::Debug for ClipWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClipWriter").field("path", &self.path).field("frames", &self.frames).finish_non_exhaustive()
    }
}
