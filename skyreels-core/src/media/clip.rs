//! One entry for writing a clip: the name says the format.

use std::path::Path;

use super::FrameRate;
use super::encode::{VideoOptions, VideoWriter, WrittenClip};
use super::sequence::{GifWriter, PngWriter, is_pattern};
use crate::output::OutputFile;
use crate::{Error, Frame, Limits, Progress, Result};

/// Name of this operation in progress reports.
const STAGE: &str = "encode";

/// Writes frames as a clip; the name decides how.
///
/// | `path` | what is written |
/// |---|---|
/// | `.mp4`, `.m4v` | H.264, with the sound of `audio_from` where that has any |
/// | `.gif` | endless GIF |
/// | `.png` with `%d` or `%04d` in the name | numbered PNG files |
/// | no extension | a folder of numbered PNG files, new or empty |
///
/// Frames are taken one by one. Nothing stands under the final name before everything is written; when a frame, the
/// disk or `progress` ends it early, nothing is left.
///
/// # Errors
/// The first error among the frames; [`Error::Invalid`] without frames, with frames of different sizes or for an
/// unknown extension; [`Error::Io`] when the place cannot be written to, before the first frame is asked for;
/// [`Error::Cancelled`]; for the sound see [`VideoWriter::with_audio`].
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
    let path = path.as_ref();
    let mut writer = ClipWriter::open(path, audio_from)?;
    let mut size = None;
    let mut count = 0;
    for frame in frames {
        let frame = frame?;
        let size = *size.get_or_insert(frame.dimensions());
        if size != frame.dimensions() {
            let reason = format!("frame {count} is {:?}, those before it are {size:?}", frame.dimensions());
            return Err(Error::invalid("frame", reason));
        }
        writer = writer.started(path, size, frame_rate, audio_from, options)?;
        writer.push(&frame)?;
        count += 1;
        progress.report(STAGE, count, None)?;
    }
    if count == 0 {
        return Err(Error::invalid("clip", format!("there is no frame to write into {}", path.display())));
    }
    writer.finish()
}

enum ClipWriter {
    /// The place is there, the size of the frames is not yet known.
    Waiting(Format, OutputFile),
    Mp4(Box<VideoWriter>),
    Gif(GifWriter),
    Png(PngWriter),
}

#[derive(Clone, Copy)]
enum Format {
    Mp4,
    Gif,
}

impl ClipWriter {
    fn open(path: &Path, audio_from: Option<&Path>) -> Result<Self> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
        let format = match extension.as_deref() {
            Some("mp4" | "m4v") => Format::Mp4,
            Some("gif") => Format::Gif,
            Some("png") if is_pattern(path) => return Ok(Self::Png(PngWriter::new(path)?)),
            None => return Ok(Self::Png(PngWriter::new(path)?)),
            Some(_) => {
                let reason =
                    format!("{} is neither .mp4, .gif, a pattern like frame_%04d.png, nor a folder", path.display());
                return Err(Error::invalid("output", reason));
            }
        };
        if let (Format::Mp4, Some(source)) = (format, audio_from) {
            std::fs::metadata(source).map_err(Error::io("open", source))?;
        }
        Ok(Self::Waiting(format, OutputFile::create(path)?))
    }

    /// Goes to work once the size is known.
    fn started(
        self,
        path: &Path,
        (width, height): (u32, u32),
        rate: FrameRate,
        audio_from: Option<&Path>,
        options: &VideoOptions,
    ) -> Result<Self> {
        Ok(match self {
            Self::Waiting(Format::Mp4, output) => {
                let mut writer = VideoWriter::in_file(output, path, width, height, rate, options)?;
                if let Some(source) = audio_from {
                    writer = writer.with_audio(source, &Limits::default())?;
                }
                Self::Mp4(Box::new(writer))
            }
            Self::Waiting(Format::Gif, output) => Self::Gif(GifWriter::new(output, path, rate)?),
            started => started,
        })
    }

    fn push(&mut self, frame: &Frame) -> Result<()> {
        match self {
            Self::Waiting(..) => Err(Error::invalid("clip", "it was not started")),
            Self::Mp4(writer) => writer.push(frame),
            Self::Gif(writer) => writer.push(frame),
            Self::Png(writer) => writer.push(frame),
        }
    }

    fn finish(self) -> Result<WrittenClip> {
        let frames = match self {
            Self::Waiting(..) => 0,
            Self::Mp4(writer) => return writer.finish(),
            Self::Gif(writer) => writer.finish()?,
            Self::Png(writer) => writer.finish()?,
        };
        Ok(WrittenClip { frames, audio_packets: 0 })
    }
}
