//! Writing MP4: tables before data, so that a player can begin before the file has arrived.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use shiguredo_mp4::boxes::{MoovBox, MvhdBox, SttsBox};
use shiguredo_mp4::{Encode, Mp4FileTime};

use super::FrameRate;
use super::audio::AudioPlan;
use super::codec::{CodecParameters, Packet};
use super::mp4::{Movie, Track};
use super::track_boxes::{self, NewTrack};
use super::yuv::Colour;
use crate::output::OutputFile;
use crate::{Error, Result};

/// Ticks per second that a track has at least: players are known to stumble over coarser clocks.
const MIN_TIMESCALE: u32 = 10_000;
/// Bytes of an `mdat` header with a 64-bit size.
const MDAT_HEADER: u64 = 16;
/// Numbers of the tracks that we write.
pub(super) const VIDEO_TRACK: u32 = 1;
const AUDIO_TRACK: u32 = 2;

/// Clock of the video track: whole ticks per frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub timescale: NonZeroU32,
    pub ticks_per_frame: u32,
}

impl Clock {
    pub(super) fn new(rate: FrameRate) -> Result<Self> {
        let factor = MIN_TIMESCALE.div_ceil(rate.numerator());
        let clock = rate.numerator().checked_mul(factor).and_then(NonZeroU32::new);
        let ticks = rate.denominator().checked_mul(factor);
        match (clock, ticks) {
            (Some(timescale), Some(ticks_per_frame)) => Ok(Self { timescale, ticks_per_frame }),
            _ => Err(Error::invalid("frame rate", format!("{rate} is too slow for an MP4 file"))),
        }
    }

    fn seconds(self, frames: usize) -> f64 {
        frames as f64 * f64::from(self.ticks_per_frame) / f64::from(self.timescale.get())
    }
}

/// Collects compressed frames, then writes the file in one go.
///
/// Frames wait in an unnamed temporary file: memory stays flat however long the video is.
pub(super) struct Muxer {
    target: PathBuf,
    output: OutputFile,
    spool: BufWriter<File>,
    sizes: Vec<u32>,
    key_frames: Vec<bool>,
    clock: Clock,
    size: (u16, u16),
    colour: Colour,
}

impl Muxer {
    pub(super) fn new(
        output: OutputFile,
        target: &Path,
        size: (u16, u16),
        rate: FrameRate,
        colour: Colour,
    ) -> Result<Self> {
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let spool = tempfile::tempfile_in(directory).map_err(Error::io("write into", directory))?;
        let clock = Clock::new(rate)?;
        Ok(Self {
            target: target.to_path_buf(),
            output,
            spool: BufWriter::new(spool),
            sizes: Vec::new(),
            key_frames: Vec::new(),
            clock,
            size,
            colour,
        })
    }

    pub(super) fn push(&mut self, packet: &Packet) -> Result<()> {
        let size = u32::try_from(packet.data.len())
            .map_err(|_| Error::invalid("frame", "it takes more than 4 GiB compressed"))?;
        self.spool.write_all(&packet.data).map_err(Error::io("write", &self.target))?;
        self.sizes.push(size);
        self.key_frames.push(packet.key_frame);
        Ok(())
    }

    /// Writes everything, with the sound of `audio` from second `audio_start` on, and gives the file its name.
    /// Returns how many packets of sound went along.
    pub(super) fn finish(
        mut self,
        parameters: &CodecParameters,
        audio: Option<&mut Movie>,
        audio_start: f64,
    ) -> Result<usize> {
        let length = self.clock.seconds(self.sizes.len());
        let mut audio = audio.and_then(|movie| {
            let track = super::audio::sound_of(movie)?.clone();
            let plan = AudioPlan::new(movie, &track, audio_start, length, self.clock.timescale.get())?;
            Some((movie, track, plan))
        });
        let layout = Layout::new(&self, audio.as_ref().map(|(_, track, plan)| (track, plan)));
        let sound = audio.as_ref().map(|(_, track, plan)| (track, plan));
        let refuse = |e: shiguredo_mp4::Error| Error::invalid("video", format!("its tables cannot be written: {e}"));
        let ftyp = track_boxes::file_type().encode_to_vec().map_err(refuse)?;
        // The size of the tables does not depend on the offsets in them.
        let tables = self.tables(parameters, sound, &layout, 0).encode_to_vec().map_err(refuse)?;
        let data_start = ftyp.len() as u64 + tables.len() as u64 + MDAT_HEADER;
        let tables = self.tables(parameters, sound, &layout, data_start).encode_to_vec().map_err(refuse)?;

        let fail = || Error::io("write", &self.target);
        let mut spool = self.spool.into_inner().map_err(|e| fail()(e.into_error()))?;
        spool.seek(SeekFrom::Start(0)).map_err(fail())?;
        let mut spool = BufReader::new(spool);
        let mut mdat = [0; MDAT_HEADER as usize];
        mdat[..8].copy_from_slice(b"\0\0\0\x01mdat");
        mdat[8..].copy_from_slice(&(layout.data_bytes + MDAT_HEADER).to_be_bytes());
        for part in [ftyp.as_slice(), &tables, &mdat] {
            self.output.write_all(part).map_err(fail())?;
        }
        let mut packet = Vec::new();
        for chunk in &layout.chunks {
            match chunk.track {
                VIDEO_TRACK => {
                    let copied = io::copy(&mut spool.by_ref().take(chunk.bytes), &mut self.output);
                    copied.map_err(fail())?;
                }
                _ => {
                    let (movie, _, plan) = audio.as_mut().expect("only a plan makes chunks of sound");
                    for sample in &plan.packets[chunk.first..chunk.first + chunk.count] {
                        movie.read(sample, &mut packet)?;
                        self.output.write_all(&packet).map_err(fail())?;
                    }
                }
            }
        }
        self.output.commit()?;
        Ok(audio.map_or(0, |(_, _, plan)| plan.packets.len()))
    }

    fn tables(
        &self,
        parameters: &CodecParameters,
        sound: Option<(&Track, &AudioPlan)>,
        layout: &Layout,
        data_start: u64,
    ) -> MoovBox {
        let timescale = self.clock.timescale;
        let duration = self.sizes.len() as u64 * u64::from(self.clock.ticks_per_frame);
        let deltas = std::iter::repeat_n(self.clock.ticks_per_frame, self.sizes.len());
        let key_frames = (1..).zip(&self.key_frames).filter(|(_, key)| **key);
        let video = NewTrack {
            id: VIDEO_TRACK,
            timescale,
            duration,
            shown: duration,
            entry: track_boxes::video_entry(parameters, self.size, self.colour),
            deltas: SttsBox::from_sample_deltas(deltas).unwrap_or(SttsBox { entries: Vec::new() }),
            sizes: self.sizes.clone(),
            key_frames: Some(key_frames.filter_map(|(number, _)| NonZeroU32::new(number)).collect()),
            edits: &[],
            size: self.size,
        };
        let mut trak_boxes = vec![video.boxed(layout, data_start)];
        if let Some((track, plan)) = sound {
            let durations = plan.packets.iter().map(|packet| packet.duration);
            let audio = NewTrack {
                id: AUDIO_TRACK,
                timescale: NonZeroU32::new(track.timescale).unwrap_or(NonZeroU32::MIN),
                duration: durations.clone().map(u64::from).sum(),
                shown: plan.edits.iter().map(|edit| edit.duration).sum(),
                entry: track.entry.clone(),
                deltas: SttsBox::from_sample_deltas(durations).unwrap_or(SttsBox { entries: Vec::new() }),
                sizes: plan.packets.iter().map(|packet| packet.size).collect(),
                key_frames: None,
                edits: &plan.edits,
                size: (0, 0),
            };
            trak_boxes.push(audio.boxed(layout, data_start));
        }
        MoovBox {
            mvhd_box: MvhdBox {
                creation_time: Mp4FileTime::default(),
                modification_time: Mp4FileTime::default(),
                timescale,
                duration,
                rate: MvhdBox::DEFAULT_RATE,
                volume: MvhdBox::DEFAULT_VOLUME,
                matrix: MvhdBox::DEFAULT_MATRIX,
                next_track_id: trak_boxes.len() as u32 + 1,
            },
            trak_boxes,
            mvex_box: None,
            unknown_boxes: Vec::new(),
        }
    }
}

/// Samples that lie together in the file.
pub(super) struct Chunk {
    pub track: u32,
    first: usize,
    pub count: usize,
    /// From the beginning of the data.
    pub offset: u64,
    bytes: u64,
}

/// Where everything lies: about a second of video, then the sound that goes with it, and so on.
pub(super) struct Layout {
    pub chunks: Vec<Chunk>,
    data_bytes: u64,
}

impl Layout {
    fn new(muxer: &Muxer, sound: Option<(&Track, &AudioPlan)>) -> Self {
        let frames_per_second = (1.0 / muxer.clock.seconds(1)).ceil() as usize;
        let mut layout = Self { chunks: Vec::new(), data_bytes: 0 };
        let (mut video, mut audio, mut second, mut played) = (0, 0, 1_u64, 0_u64);
        let audio_sizes: Vec<u32> = sound.iter().flat_map(|(_, plan)| plan.packets.iter().map(|p| p.size)).collect();
        while video < muxer.sizes.len() || audio < audio_sizes.len() {
            let until = (video + frames_per_second).min(muxer.sizes.len());
            layout.push(VIDEO_TRACK, video, &muxer.sizes[video..until]);
            video = until;
            if let Some((track, plan)) = sound {
                let end = u64::from(track.timescale) * second;
                let mut until = audio;
                while until < audio_sizes.len() && (played < end || video == muxer.sizes.len()) {
                    played += u64::from(plan.packets[until].duration);
                    until += 1;
                }
                layout.push(AUDIO_TRACK, audio, &audio_sizes[audio..until]);
                audio = until;
            }
            second += 1;
        }
        layout
    }

    fn push(&mut self, track: u32, first: usize, sizes: &[u32]) {
        if sizes.is_empty() {
            return;
        }
        let bytes = sizes.iter().map(|size| u64::from(*size)).sum();
        self.chunks.push(Chunk { track, first, count: sizes.len(), offset: self.data_bytes, bytes });
        self.data_bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::media::VideoReader;

    #[test]
    fn a_file_without_frames_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.mp4");
        let output = OutputFile::create(&path).unwrap();
        let muxer = Muxer::new(output, &path, (32, 32), FrameRate::NATIVE, Colour::default()).unwrap();
        // The parameter sets of a 96x64 picture; there is no picture to contradict them.
        let sps = vec![0x67, 100, 0, 30, 0xac, 0xd9, 0x41, 0x82, 0x19];
        muxer.finish(&CodecParameters::Avc { sps, pps: vec![0x68, 0xee, 0x3c, 0x80] }, None, 0.0).unwrap();
        let error = VideoReader::open(&path, &Limits::default()).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Malformed { .. }) && message.contains("none.mp4"), "{message}");
    }
}
