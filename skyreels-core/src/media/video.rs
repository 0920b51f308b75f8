//! Video files as a stream of frames in presentation order.

use std::fs::File;
use std::io::Read;
use std::path::Path;

#[cfg(feature = "ffmpeg")]
use super::ffmpeg::FfmpegReader;
use super::native::{self, NativeReader};
use super::sampling::FrameTimes;
use super::yuv::{Colour, Yuv420};
use super::{FrameRate, orientation};
use crate::{Error, Frame, Limits, Result};

/// What is known about a video before its frames are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoInfo {
    /// Width of the frames as they are shown, after rotation.
    pub width: u32,
    /// Height of the frames as they are shown, after rotation.
    pub height: u32,
    /// Number of frames that are shown.
    pub frames: u64,
    /// Average rate: frames over the sum of their durations.
    pub frame_rate: FrameRate,
    /// Sum of the frames' durations, in seconds.
    pub duration: f64,
    /// By how many degrees clockwise the stored frames are turned before they are given out.
    pub rotation: u16,
    /// Whether the file has a sound track.
    pub has_audio: bool,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedFrame {
    /// Its number in presentation order, from 0.
    pub index: u64,
    /// When it is shown, from the beginning of the movie.
    pub time_seconds: f64,
    /// The picture, upright.
    pub image: Frame,
}

/// One frame before it is converted and turned: the planes as the codec left them.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedPlanes {
    /// Its number in presentation order, from 0.
    pub index: u64,
    /// When it is shown, from the beginning of the movie.
    pub time_seconds: f64,
    /// How the planes are meant.
    pub colour: Colour,
    /// The planes.
    pub planes: Yuv420,
}

/// A video file: an iterator over its frames in presentation order.
///
/// Frames are decoded one by one as they are asked for; only those that wait for their turn (B-frames) are held.
/// Edit lists, rotation, variable frame rate, colour matrix and range are respected; pixels are taken as square.
/// After an error the iterator ends.
///
/// ```no_run
/// use skyreels_core::Limits;
/// use skyreels_core::media::VideoReader;
///
/// let video = VideoReader::open("driving.mp4", &Limits::default())?;
/// println!("{} frames at {} per second", video.info().frames, video.info().frame_rate);
/// for frame in video {
///     let frame = frame?;
///     println!("{:.3} s: {:?}", frame.time_seconds, frame.image.dimensions());
/// }
/// # Ok::<(), skyreels_core::Error>(())
/// ```
pub struct VideoReader {
    info: VideoInfo,
    source: Source,
    max_frames: u64,
    finished: bool,
}

enum Source {
    Native(Box<NativeReader>),
    #[cfg(feature = "ffmpeg")]
    Ffmpeg(FfmpegReader),
}

impl VideoReader {
    /// Opens a video by its content, whatever its name.
    ///
    /// MP4 and MOV with progressive 8-bit 4:2:0 H.264 are decoded by this library. With the feature `ffmpeg`
    /// everything else goes to the `ffmpeg` program, where that is found on the `PATH`.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Malformed`] when it is no video, is cut off or shows
    /// no frame, [`Error::Unsupported`] for other codecs and containers, [`Error::Limit`] when it is too large.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let opened = check_container(path).and_then(|()| NativeReader::open(path, limits));
        let (source, info) = match opened {
            Ok((reader, info)) => (Source::Native(Box::new(reader)), info),
            #[cfg(feature = "ffmpeg")]
            Err(unsupported @ Error::Unsupported { .. }) => match FfmpegReader::open(path, limits)? {
                Some((reader, info)) => (Source::Ffmpeg(reader), info),
                None => return Err(unsupported),
            },
            Err(error) => return Err(error),
        };
        Ok(Self { info, source, max_frames: limits.max_frames, finished: false })
    }

    /// What is known about the video.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// The next frame as the codec left it: not converted, not turned. `None` at the end.
    ///
    /// # Errors
    /// As the iterator; [`Error::Invalid`] for files that are read through `ffmpeg`, which gives RGB only.
    pub fn next_planes(&mut self) -> Option<Result<DecodedPlanes>> {
        if self.finished {
            return None;
        }
        let next = match &mut self.source {
            Source::Native(reader) => reader.next(),
            #[cfg(feature = "ffmpeg")]
            Source::Ffmpeg(_) => {
                Err(Error::invalid("planes", "a video read through ffmpeg comes as RGB; take its frames"))
            }
        };
        self.finished = !matches!(next, Ok(Some(_)));
        next.transpose()
    }

    /// When the frames are on the screen.
    pub fn frame_times(&self) -> FrameTimes {
        match &self.source {
            Source::Native(reader) => reader.frame_times(),
            #[cfg(feature = "ffmpeg")]
            Source::Ffmpeg(reader) => reader.frame_times(),
        }
    }

    /// The frames at the numbers in `indices`, which must not decrease; a number may come twice.
    ///
    /// Frames in between are decoded but not converted. See [`sampling`](super::sampling).
    pub fn select(self, indices: Vec<u64>) -> SelectedFrames {
        SelectedFrames { video: self, indices: indices.into_iter(), last: None }
    }

    /// The frames that are on the screen at the instants `k / target`, at most `limit` of them and never more than
    /// [`Limits::max_frames`]; see [`FrameTimes::indices_at`].
    pub fn sample(self, target: FrameRate, limit: usize) -> SelectedFrames {
        // A pause of years in an edit list must not become as many frames.
        let limit = limit.min(usize::try_from(self.max_frames).unwrap_or(usize::MAX));
        let indices = self.frame_times().indices_at(target, limit);
        self.select(indices)
    }

    /// Goes past one frame; false at the end.
    fn skip_frame(&mut self) -> Result<bool> {
        match &mut self.source {
            Source::Native(_) => self.next_planes().transpose().map(|frame| frame.is_some()),
            #[cfg(feature = "ffmpeg")]
            Source::Ffmpeg(_) => self.next().transpose().map(|frame| frame.is_some()),
        }
    }
}

impl Iterator for VideoReader {
    type Item = Result<DecodedFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        #[cfg(feature = "ffmpeg")]
        if let Source::Ffmpeg(reader) = &mut self.source {
            if self.finished {
                return None;
            }
            let next = reader.next();
            self.finished = !matches!(next, Ok(Some(_)));
            return next.transpose();
        }
        let orientation = match &self.source {
            Source::Native(reader) => reader.orientation,
            #[cfg(feature = "ffmpeg")]
            Source::Ffmpeg(_) => return None,
        };
        let decoded = self.next_planes()?;
        Some(decoded.map(|DecodedPlanes { index, time_seconds, colour, planes }| DecodedFrame {
            index,
            time_seconds,
            image: orientation::apply(planes.to_rgb(colour), orientation),
        }))
    }
}

impl std::fmt::Debug for VideoReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoReader").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Chosen frames of a video, from [`VideoReader::select`] and [`VideoReader::sample`].
#[derive(Debug)]
pub struct SelectedFrames {
    video: VideoReader,
    indices: std::vec::IntoIter<u64>,
    last: Option<DecodedFrame>,
}

impl SelectedFrames {
    /// The video they come from.
    pub fn info(&self) -> &VideoInfo {
        self.video.info()
    }

    fn advance_to(&mut self, wanted: u64) -> Result<Option<DecodedFrame>> {
        let mut position = match &self.last {
            Some(last) if last.index == wanted => return Ok(Some(last.clone())),
            Some(last) if last.index > wanted => {
                let reason = format!("{wanted} comes after {}; sort them", last.index);
                return Err(Error::invalid("frame numbers", reason));
            }
            Some(last) => last.index + 1,
            None => 0,
        };
        while position < wanted {
            if !self.video.skip_frame()? {
                return Ok(None);
            }
            position += 1;
        }
        self.last = self.video.next().transpose()?;
        Ok(self.last.clone())
    }
}

impl Iterator for SelectedFrames {
    type Item = Result<DecodedFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        let wanted = self.indices.next()?;
        let frame = self.advance_to(wanted).transpose();
        if !matches!(frame, Some(Ok(_))) {
            self.indices = Vec::new().into_iter();
        }
        frame
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.indices.len()))
    }
}

/// Bytes of the beginning that tell containers apart.
const MAGIC_BYTES: usize = 16;

/// Refuses what is no MP4, with a name for it where its first bytes tell.
pub(super) fn check_container(path: &Path) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut start = Vec::new();
    file.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut start).map_err(Error::io("read", path))?;
    if start.is_empty() {
        return Err(Error::malformed(path, "video", "the file is empty"));
    }
    let container = match start.as_slice() {
        [_, _, _, _, b'f', b't', b'y', b'p', ..]
        | [_, _, _, _, b'm', b'o', b'o', b'v' | b'f', ..]
        | [_, _, _, _, b'm', b'd', b'a', b't', ..]
        | [_, _, _, _, b'f', b'r', b'e', b'e', ..]
        | [_, _, _, _, b's', b'k', b'i', b'p', ..]
        | [_, _, _, _, b's', b't', b'y', b'p', ..]
        | [_, _, _, _, b'w', b'i', b'd', b'e', ..] => return Ok(()),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "a Matroska or WebM file",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => "an AVI file",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            return Err(Error::malformed(path, "video", "it is a sound file (WAV)"));
        }
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..]
        | [0x89, b'P', b'N', b'G', ..]
        | [0xff, 0xd8, 0xff, ..] => return Err(Error::malformed(path, "video", "it is a picture")),
        [b'G', b'I', b'F', b'8', ..] => "a GIF file as video",
        [b'F', b'L', b'V', ..] => "a Flash video",
        [b'O', b'g', b'g', b'S', ..] => "an Ogg file",
        [0x30, 0x26, 0xb2, 0x75, ..] => "a Windows Media file",
        [0, 0, 1, 0xba | 0xb3, ..] => "an MPEG program stream",
        [0, 0, 0, 1, ..] | [0, 0, 1, ..] => "a raw H.264 or HEVC stream",
        [0x47, ..] => "an MPEG transport stream",
        _ => return Err(Error::malformed(path, "video", "its first bytes are those of no video format known here")),
    };
    Err(native::unsupported(path, container.into()))
}
