//! Writing MP4 frame by frame.

use std::path::{Path, PathBuf};

use super::codec::{CodecError, Packet, VideoEncoder};
use super::h264::H264Encoder;
use super::mp4::Movie;
use super::mux::Muxer;
use super::yuv::{Colour, Yuv420};
use super::{FrameRate, Quality, Sound};
use crate::output::OutputFile;
use crate::{Error, Frame, Limits, Result};

/// How a video is written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VideoOptions {
    /// How good, how large.
    pub quality: Quality,
    /// Matrix and range; the file says which. The default is BT.601 in limited range, what the original's files have.
    pub colour: Colour,
    /// Second of the sound's source that plays with the first frame.
    pub audio_start: f64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenClip {
    /// Frames in the file.
    pub frames: u64,
    /// Packets of sound that were copied; 0 when there was no sound to copy.
    pub audio_packets: usize,
}

/// Writes an H.264 MP4 file, frame by frame.
///
/// The tables lie at the beginning of the file. It takes its name in [`finish`](Self::finish); dropped before that,
/// nothing is left. A picture with an odd side is extended by its last column or row, because the format has none.
///
/// ```no_run
/// use skyreels_core::media::{FrameRate, VideoOptions, VideoWriter};
/// use skyreels_core::{Frame, Limits};
///
/// let mut writer = VideoWriter::create("out.mp4", 720, 480, FrameRate::NATIVE, &VideoOptions::default())?
///     .with_audio("driving.mp4", &Limits::default())?;
/// for _ in 0..48 {
///     writer.push(&Frame::new(720, 480))?;
/// }
/// writer.finish()?;
/// # Ok::<(), skyreels_core::Error>(())
/// ```
pub struct VideoWriter {
    target: PathBuf,
    encoder: Box<dyn VideoEncoder>,
    muxer: Muxer,
    options: VideoOptions,
    size: (u32, u32),
    frames: u64,
    sound: Option<Movie>,
}

impl VideoWriter {
    /// Opens a video of `width` x `height` beside `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when the directory cannot be written to, [`Error::Invalid`] when `path` is a directory or the
    /// size or the rate cannot be encoded.
    pub fn create(
        path: impl AsRef<Path>,
        width: u32,
        height: u32,
        frame_rate: FrameRate,
        options: &VideoOptions,
    ) -> Result<Self> {
        let path = path.as_ref();
        Self::in_file(OutputFile::create(path)?, path, width, height, frame_rate, options)
    }

    pub(super) fn in_file(
        output: OutputFile,
        path: &Path,
        width: u32,
        height: u32,
        frame_rate: FrameRate,
        options: &VideoOptions,
    ) -> Result<Self> {
        if !options.audio_start.is_finite() || options.audio_start < 0.0 {
            return Err(Error::invalid("start of the sound", format!("{} is no time", options.audio_start)));
        }
        let even = |side: u32| side.checked_next_multiple_of(2).and_then(|side| u16::try_from(side).ok());
        let (Some(coded_width @ 1..), Some(coded_height @ 1..)) = (even(width), even(height)) else {
            return Err(Error::invalid("size", format!("a video of {width}x{height} cannot be written")));
        };
        let encoder =
            H264Encoder::new(coded_width.into(), coded_height.into(), frame_rate, options.quality, options.colour)
                .map_err(refused)?;
        let muxer = Muxer::new(output, path, (coded_width, coded_height), frame_rate, options.colour)?;
        Ok(Self {
            target: path.to_path_buf(),
            encoder: Box::new(encoder),
            muxer,
            options: *options,
            size: (width, height),
            frames: 0,
            sound: None,
        })
    }

    /// Lets the sound of the MP4, MOV or M4A file `source` go along, as it is: not decoded, in sync, cut where the
    /// video ends. A file without sound is no error.
    ///
    /// # Errors
    /// Those of [`Sound::open`].
    pub fn with_audio(mut self, source: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        self.sound = Sound::open(source, limits)?.map(|sound| sound.movie);
        Ok(self)
    }

    /// Lets sound that is already open go along.
    #[must_use]
    pub fn with_sound(mut self, sound: Sound) -> Self {
        self.sound = Some(sound.movie);
        self
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the picture has another size than the video, [`Error::Io`] when the disk is full.
    pub fn push(&mut self, image: &Frame) -> Result<()> {
        if image.dimensions() != self.size {
            let reason = format!("frame {} is {:?}, the video {:?}", self.frames, image.dimensions(), self.size);
            return Err(Error::invalid("frame", reason));
        }
        let packets = self.encoder.encode(&Yuv420::from_rgb(image, self.options.colour)).map_err(refused)?;
        self.frames += 1;
        self.store(&packets)
    }

    /// Encodes what is left, writes the file and gives it its name.
    ///
    /// # Errors
    /// [`Error::Invalid`] when no frame was pushed, [`Error::Io`] when the file cannot be written; nothing is left then.
    pub fn finish(mut self) -> Result<WrittenClip> {
        let rest = self.encoder.finish().map_err(refused)?;
        self.store(&rest)?;
        let Some(parameters) = self.encoder.parameters() else {
            return Err(Error::invalid("video", format!("there is no frame to write into {}", self.target.display())));
        };
        let audio_packets = self.muxer.finish(&parameters, self.sound.as_mut(), self.options.audio_start)?;
        Ok(WrittenClip { frames: self.frames, audio_packets })
    }

    fn store(&mut self, packets: &[Packet]) -> Result<()> {
        packets.iter().try_for_each(|packet| self.muxer.push(packet))
    }
}

impl std::fmt::Debug for VideoWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoWriter")
            .field("target", &self.target)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

fn refused(error: CodecError) -> Error {
    Error::invalid("video", error.to_string())
}
