//! Boxes of the tracks that we write.

use std::num::{NonZeroU16, NonZeroU32};

use shiguredo_mp4::boxes::{
    Avc1Box, AvccBox, Brand, Co64Box, DinfBox, EdtsBox, ElstBox, ElstEntry, FtypBox, HdlrBox, MdhdBox, MdiaBox,
    MediaHeader, MinfBox, SampleEntry, SmhdBox, StblBox, StscBox, StscEntry, StsdBox, StssBox, StszBox, SttsBox,
    TkhdBox, TrakBox, UnknownBox, VisualSampleEntryFields, VmhdBox,
};
use shiguredo_mp4::{BoxSize, BoxType, Either, FixedPointNumber, LanguageCode, Mp4FileTime, Uint};

use super::codec::CodecParameters;
use super::mp4::Edit;
use super::mux::{Layout, VIDEO_TRACK};
use super::sps::{PRIMARIES_BT709, TRANSFER_BT709};
use super::yuv::Colour;

/// What kind of file this is.
pub(super) fn file_type() -> FtypBox {
    FtypBox {
        major_brand: Brand::ISOM,
        minor_version: 512,
        compatible_brands: vec![Brand::ISOM, Brand::ISO2, Brand::AVC1, Brand::MP41],
    }
}

/// Description of the video stream: its parameter sets and its colours.
pub(super) fn video_entry(parameters: &CodecParameters, size: (u16, u16), colour: Colour) -> SampleEntry {
    let CodecParameters::Avc { sps, pps } = parameters;
    let [profile, compatibility, level] = sps.get(1..4).and_then(|b| b.try_into().ok()).unwrap_or([100, 0, 30]);
    let high = !matches!(profile, 66 | 77 | 88);
    let mut colr = b"nclx".to_vec();
    for code in [PRIMARIES_BT709.into(), TRANSFER_BT709.into(), colour.matrix.code()] {
        colr.extend_from_slice(&u16::to_be_bytes(code));
    }
    colr.push(if colour.full_range { 0x80 } else { 0 });
    SampleEntry::Avc1(Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: NonZeroU16::MIN,
            width: size.0,
            height: size.1,
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

/// A track to be written.
pub(super) struct NewTrack<'a> {
    pub id: u32,
    pub timescale: NonZeroU32,
    /// In its own timescale.
    pub duration: u64,
    /// In the movie's timescale.
    pub shown: u64,
    pub entry: SampleEntry,
    pub deltas: SttsBox,
    pub sizes: Vec<u32>,
    /// Numbers of the key frames; `None` where every sample is one.
    pub key_frames: Option<Vec<NonZeroU32>>,
    pub edits: &'a [Edit],
    pub size: (u16, u16),
}

impl NewTrack<'_> {
    /// The track's boxes; its data lie where `layout` says, after `data_start`.
    pub(super) fn boxed(self, layout: &Layout, data_start: u64) -> TrakBox {
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
