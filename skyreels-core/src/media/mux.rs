//! Writing MP4: tables before data, so that a player can begin before the file has arrived.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};

use shiguredo_mp4::boxes::{
    Avc1Box, AvccBox, Brand, Co64Box, DinfBox, EdtsBox, ElstBox, ElstEntry, FtypBox, HdlrBox, MdhdBox, MdiaBox,
    MediaHeader, MinfBox, MoovBox, MvhdBox, SampleEntry, SmhdBox, StblBox, StscBox, StscEntry, StsdBox, StssBox,
    StszBox, SttsBox, TkhdBox, TrakBox, UnknownBox, VisualSampleEntryFields, VmhdBox,
};
use shiguredo_mp4::{BoxSize, BoxType, Either, Encode, FixedPointNumber, LanguageCode, Mp4FileTime, Uint};

use super::FrameRate;
use super::audio::AudioPlan;
use super::codec::{CodecParameters, Packet};
use super::mp4::{Edit, Movie, Track};
use super::sps::{PRIMARIES_BT709, TRANSFER_BT709};
use super::yuv::Colour;
use crate::output::OutputFile;
use crate::{Error, Result};

/// Ticks per second that a track has at least: players are known to stumble over coarser clocks.
const MIN_TIMESCALE: u32 = 10_000;
/// Bytes of an `mdat` header with a 64-bit size.
const MDAT_HEADER: u64 = 16;
const VIDEO_TRACK: u32 = 1;
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
        let ftyp = file_type().encode_to_vec().map_err(refuse)?;
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
            entry: self.sample_entry(parameters),
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

    fn sample_entry(&self, parameters: &CodecParameters) -> SampleEntry {
        let CodecParameters::Avc { sps, pps } = parameters;
        let [profile, compatibility, level] = sps.get(1..4).and_then(|b| b.try_into().ok()).unwrap_or([100, 0, 30]);
        let high = !matches!(profile, 66 | 77 | 88);
        let mut colr = b"nclx".to_vec();
        for code in [PRIMARIES_BT709.into(), TRANSFER_BT709.into(), self.colour.matrix.code()] {
            colr.extend_from_slice(&u16::to_be_bytes(code));
        }
        colr.push(if self.colour.full_range { 0x80 } else { 0 });
        SampleEntry::Avc1(Avc1Box {
            visual: VisualSampleEntryFields {
                data_reference_index: NonZeroU16::MIN,
                width: self.size.0,
                height: self.size.1,
                horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
                vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
                frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
                compressorname: VisualSampleEntryFields::NULL_COMPRESSORNAME,
                depth: VisualSampleEntryFields::DEFAULT_DEPTH,
            },
            avcc_box: AvccBox {
                avc_profile_indication: profile,
                profile_compatibility: compatibility,
                avc_level_indication: level,
                length_size_minus_one: Uint::new(3),
                sps_list: vec![sps.clone()],
                pps_list: vec![pps.clone()],
                chroma_format: high.then_some(Uint::new(1)),
                bit_depth_luma_minus8: high.then_some(Uint::new(0)),
                bit_depth_chroma_minus8: high.then_some(Uint::new(0)),
                sps_ext_list: Vec::new(),
            },
            unknown_boxes: vec![UnknownBox {
                box_type: BoxType::Normal(*b"colr"),
                box_size: BoxSize::U32(8 + colr.len() as u32),
                payload: colr,
            }],
        })
    }
}

fn file_type() -> FtypBox {
    FtypBox {
        major_brand: Brand::ISOM,
        minor_version: 512,
        compatible_brands: vec![Brand::ISOM, Brand::ISO2, Brand::AVC1, Brand::MP41],
    }
}

/// Samples that lie together in the file.
struct Chunk {
    track: u32,
    first: usize,
    count: usize,
    /// From the beginning of the data.
    offset: u64,
    bytes: u64,
}

/// Where everything lies: about a second of video, then the sound that goes with it, and so on.
struct Layout {
    chunks: Vec<Chunk>,
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

/// A track to be written.
struct NewTrack<'a> {
    id: u32,
    timescale: NonZeroU32,
    /// In its own timescale.
    duration: u64,
    /// In the movie's timescale.
    shown: u64,
    entry: SampleEntry,
    deltas: SttsBox,
    sizes: Vec<u32>,
    /// Numbers of the key frames; `None` where every sample is one.
    key_frames: Option<Vec<NonZeroU32>>,
    edits: &'a [Edit],
    size: (u16, u16),
}

impl NewTrack<'_> {
    fn boxed(self, layout: &Layout, data_start: u64) -> TrakBox {
        let video = self.id == VIDEO_TRACK;
        let chunks = || layout.chunks.iter().filter(|chunk| chunk.track == self.id);
        let mut stsc = Vec::<StscEntry>::new();
        for (number, chunk) in (1..).zip(chunks()) {
            let count = chunk.count as u32;
            if stsc.last().is_none_or(|last| last.sample_per_chunk != count) {
                let first_chunk = NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
                stsc.push(StscEntry {
                    first_chunk,
                    sample_per_chunk: count,
                    sample_description_index: NonZeroU32::MIN,
                });
            }
        }
        let side = |pixels: u16| FixedPointNumber::new(pixels.min(i16::MAX as u16) as i16, 0);
        TrakBox {
            tkhd_box: TkhdBox {
                flag_track_enabled: true,
                flag_track_in_movie: true,
                flag_track_in_preview: false,
                flag_track_size_is_aspect_ratio: false,
                creation_time: Mp4FileTime::default(),
                modification_time: Mp4FileTime::default(),
                track_id: self.id,
                duration: self.shown,
                layer: TkhdBox::DEFAULT_LAYER,
                alternate_group: if video { 0 } else { 1 },
                volume: if video { TkhdBox::DEFAULT_VIDEO_VOLUME } else { TkhdBox::DEFAULT_AUDIO_VOLUME },
                matrix: TkhdBox::DEFAULT_MATRIX,
                width: side(self.size.0),
                height: side(self.size.1),
            },
            edts_box: (!self.edits.is_empty()).then(|| edit_box(self.edits)),
            mdia_box: MdiaBox {
                mdhd_box: MdhdBox {
                    creation_time: Mp4FileTime::default(),
                    modification_time: Mp4FileTime::default(),
                    timescale: self.timescale,
                    duration: self.duration,
                    language: LanguageCode::default(),
                },
                hdlr_box: HdlrBox {
                    handler_type: if video { HdlrBox::HANDLER_TYPE_VIDE } else { HdlrBox::HANDLER_TYPE_SOUN },
                    name: if video { b"video\0".to_vec() } else { b"sound\0".to_vec() },
                },
                minf_box: MinfBox {
                    media_header: Some(if video {
                        MediaHeader::Vmhd(VmhdBox::default())
                    } else {
                        MediaHeader::Smhd(SmhdBox::default())
                    }),
                    dinf_box: DinfBox::LOCAL_FILE,
                    stbl_box: StblBox {
                        stsd_box: StsdBox { entries: vec![self.entry] },
                        stts_box: self.deltas,
                        ctts_box: None,
                        cslg_box: None,
                        stsc_box: StscBox { entries: stsc },
                        stsz_box: StszBox::Variable { entry_sizes: self.sizes },
                        stco_or_co64_box: Either::B(Co64Box {
                            chunk_offsets: chunks().map(|chunk| data_start + chunk.offset).collect(),
                        }),
                        stss_box: self.key_frames.map(|sample_numbers| StssBox { sample_numbers }),
                        sdtp_box: None,
                        unknown_boxes: Vec::new(),
                    },
                    unknown_boxes: Vec::new(),
                },
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        }
    }
}

fn edit_box(edits: &[Edit]) -> EdtsBox {
    let entries = edits
        .iter()
        .map(|edit| ElstEntry {
            edit_duration: edit.duration,
            media_time: edit.media_time.unwrap_or(-1),
            media_rate: FixedPointNumber::new(1, 0),
        })
        .collect();
    EdtsBox { elst_box: Some(ElstBox { entries }), unknown_boxes: Vec::new() }
}
