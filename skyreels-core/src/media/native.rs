//! Reading MP4 with our own parts: tables, timeline, decoder, reordering.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use image::metadata::Orientation;
use shiguredo_mp4::boxes::SampleEntry;

use super::codec::{CodecError, VideoDecoder};
use super::h264::H264Decoder;
use super::mp4::{self, Kind, Movie};
use super::orientation;
use super::sampling::FrameTimes;
use super::sps::{self, Sps};
use super::timeline::Timeline;
use super::video::{DecodedPlanes, VideoInfo};
use super::yuv::{Colour, Yuv420};
use crate::{Error, Limits, Result};

/// Pictures that may wait for their turn: H.264 reorders at most 16 (A.3.1), twice that is a damaged table.
const MAX_WAITING: usize = 32;

/// Reader of one MP4 or MOV file.
pub(super) struct NativeReader {
    movie: Movie,
    track: usize,
    decoder: Box<dyn VideoDecoder>,
    timeline: Timeline,
    size: (u32, u32),
    /// How the planes are to be read.
    pub colour: Colour,
    /// How the pictures are to be turned.
    pub orientation: Orientation,
    run: usize,
    position: usize,
    next_sample: usize,
    index: u64,
    /// Samples that this run shows.
    shown: HashSet<usize>,
    waiting: HashMap<usize, Yuv420>,
    buffer: Vec<u8>,
}

impl NativeReader {
    /// Opens `path` and decodes its first frame, so that what cannot be decoded is refused here.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<(Self, VideoInfo)> {
        let movie = Movie::open(path, limits)?;
        let Some(track) = movie.tracks.iter().position(|track| track.kind == Kind::Video) else {
            let reason = match movie.first(Kind::Audio) {
                Some(_) => "it holds sound but no video",
                None => "it holds no video track",
            };
            return Err(Error::malformed(path, "video", reason));
        };
        let video = &movie.tracks[track];
        let SampleEntry::Avc1(entry) = &video.entry else {
            return Err(unsupported(path, mp4::codec_name(&video.entry)));
        };
        let avcc = &entry.avcc_box;
        let Some(first_set) = avcc.sps_list.first() else {
            return Err(Error::malformed(path, "video", "its H.264 description has no sequence parameter set"));
        };
        let parameters = Sps::parse(first_set).map_err(|e| of_codec(path, &e, None))?;
        let size = (parameters.width, parameters.height);
        if size.0.max(size.1) > limits.max_side {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "the larger side of its frames",
                value: size.0.max(size.1).into(),
                limit: limits.max_side.into(),
                help: "scale the video down first".into(),
            });
        }
        let timeline = Timeline::new(&movie, video, limits.max_frames)?;
        let length_size = usize::from(avcc.length_size_minus_one.get()) + 1;
        let decoder = H264Decoder::new(&avcc.sps_list, &avcc.pps_list, length_size, limits.max_side)
            .map_err(|e| of_codec(path, &e, None))?;
        let orientation = orientation::from_matrix(&video.matrix);
        let (mut width, mut height) = size;
        if orientation::swaps_sides(orientation) {
            (width, height) = (height, width);
        }
        let info = VideoInfo {
            width,
            height,
            frames: timeline.frames,
            frame_rate: timeline.frame_rate,
            duration: timeline.duration,
            rotation: orientation::degrees(orientation),
            has_audio: movie.first(Kind::Audio).is_some_and(|audio| !audio.samples.is_empty()),
        };
        let colour = sps::colour_of(mp4::colour_box(&entry.unknown_boxes), &parameters);
        let next_sample = timeline.runs[0].first_sample;
        let shown = timeline.runs[0].samples();
        let mut reader = Self {
            movie,
            track,
            decoder: Box::new(decoder),
            timeline,
            size,
            colour,
            orientation,
            run: 0,
            position: 0,
            next_sample,
            index: 0,
            shown,
            waiting: HashMap::new(),
            buffer: Vec::new(),
        };
        reader.fill()?;
        Ok((reader, info))
    }

    /// When the frames are on the screen.
    pub(super) fn frame_times(&self) -> FrameTimes {
        self.timeline.frame_times()
    }

    /// The next picture in presentation order; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<DecodedPlanes>> {
        let Some(shown) = self.fill()? else { return Ok(None) };
        // Two runs may show the same sample, but one run shows it once.
        let planes = self.waiting.remove(&shown.0).expect("`fill` has decoded it");
        let picture = DecodedPlanes { index: self.index, time_seconds: shown.1, colour: self.colour, planes };
        self.index += 1;
        self.position += 1;
        Ok(Some(picture))
    }

    /// Decodes until the next frame to show is there; returns its sample and its time.
    fn fill(&mut self) -> Result<Option<(usize, f64)>> {
        if self.timeline.runs.get(self.run).is_some_and(|run| self.position == run.frames.len()) {
            self.run += 1;
            self.position = 0;
            self.waiting.clear();
            if let Some(run) = self.timeline.runs.get(self.run) {
                self.next_sample = run.first_sample;
                self.shown = run.samples();
                self.decoder.reset().map_err(|e| of_codec(&self.movie.path, &e, Some(self.index)))?;
            }
        }
        let Some(run) = self.timeline.runs.get(self.run) else { return Ok(None) };
        let shown = run.frames[self.position];
        while !self.waiting.contains_key(&shown.sample) {
            let sample = self.movie.tracks[self.track].samples[self.next_sample];
            self.movie.read(&sample, &mut self.buffer)?;
            let path = &self.movie.path;
            let picture = self.decoder.decode(&self.buffer).map_err(|e| of_codec(path, &e, Some(self.index)))?;
            if (picture.width, picture.height) != self.size {
                let what = format!("a change of size from {:?} to {:?}", self.size, (picture.width, picture.height));
                return Err(unsupported(path, what));
            }
            if self.shown.contains(&self.next_sample) {
                if self.waiting.len() == MAX_WAITING {
                    return Err(Error::malformed(
                        path,
                        "video",
                        format!("frame {} comes far out of order", self.index),
                    ));
                }
                self.waiting.insert(self.next_sample, picture);
            }
            self.next_sample += 1;
        }
        Ok(Some((shown.sample, shown.time)))
    }
}

/// What a codec said, about which frame of which file.
fn of_codec(path: &Path, error: &CodecError, frame: Option<u64>) -> Error {
    match error {
        CodecError::Unsupported(what) => unsupported(path, what.clone()),
        CodecError::Corrupt(reason) => match frame {
            Some(frame) => Error::malformed(path, "video", format!("frame {frame}: {reason}")),
            None => Error::malformed(path, "video", reason.clone()),
        },
    }
}

/// The error for everything that only `ffmpeg` can read.
pub(super) fn unsupported(path: &Path, what: String) -> Error {
    let convert = "convert it with `ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4`";
    let help = if cfg!(feature = "ffmpeg") {
        format!("install the `ffmpeg` and `ffprobe` programs on the PATH, or {convert}")
    } else {
        format!("{convert}, or build with the feature `ffmpeg`")
    };
    Error::Unsupported { path: path.to_path_buf(), what, help }
}
