//! The tables of an ISO base media file (MP4, MOV, M4A): tracks, samples, edit lists.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use shiguredo_mp4::aux::SampleTableAccessor;
use shiguredo_mp4::boxes::{HdlrBox, MdiaBox, MvexBox, MvhdBox, SampleEntry, TrakBox, UnknownBox};
use shiguredo_mp4::{BaseBox, BoxType, Decode};

use super::fragments;
use crate::{Error, Limits, Result};

/// Name of the format in error messages.
pub(super) const FORMAT: &str = "MP4 file";
/// Largest sum of `moov` and `moof` boxes read into memory: room for the tables of days of video.
const MAX_TABLE_BYTES: u64 = 256 << 20;
/// Boxes at the top level that are looked at: a file of empty boxes must not keep us busy for hours.
const MAX_TOP_LEVEL_BOXES: usize = 1 << 20;
/// Samples of one track that are listed at most; packets of sound outnumber frames.
const SAMPLES_PER_FRAME_LIMIT: u64 = 8;

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Audio,
}

/// One sample (a compressed frame or a packet of sound), times in the track's timescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub offset: u64,
    pub size: u32,
    pub decode_time: i64,
    pub composition_offset: i64,
    pub duration: u32,
    pub key_frame: bool,
}

impl Sample {
    pub(super) fn presentation_time(&self) -> i64 {
        self.decode_time.saturating_add(self.composition_offset)
    }
}

/// One entry of an edit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// In the movie's timescale; 0 means "to the end".
    pub duration: u64,
    /// Where in the media it begins, in the track's timescale; `None` is a pause.
    pub media_time: Option<i64>,
}

/// One track.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub id: u32,
    pub kind: Kind,
    pub timescale: u32,
    /// Display matrix of the track header.
    pub matrix: [i32; 9],
    pub entry: SampleEntry,
    pub edits: Vec<Edit>,
    /// In decoding order.
    pub samples: Vec<Sample>,
}

/// An opened file with its tables.
#[derive(Debug)]
pub(super) struct Movie {
    pub path: PathBuf,
    pub timescale: u32,
    pub tracks: Vec<Track>,
    file: File,
    length: u64,
}

impl Movie {
    /// Reads the tables of `path`.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let metadata = file.metadata().map_err(Error::io("read", path))?;
        if metadata.is_dir() {
            return Err(Error::io("read", path)(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let length = metadata.len();
        if length > limits.max_file_bytes {
            return Err(Error::Limit {
                path: path.to_path_buf(),
                what: "the file size in bytes",
                value: length,
                limit: limits.max_file_bytes,
                help: "cut the file into pieces or raise the limit".into(),
            });
        }
        let bad = |reason: String| Error::malformed(path, FORMAT, reason);
        let mut moov = None;
        let mut fragments = Vec::new();
        let mut table_bytes = 0;
        for found in top_level_boxes(&mut file, length).map_err(Error::io("read", path))? {
            table_bytes += found.size;
            if table_bytes > MAX_TABLE_BYTES {
                return Err(Error::Limit {
                    path: path.to_path_buf(),
                    what: "the size of its tables in bytes",
                    value: table_bytes,
                    limit: MAX_TABLE_BYTES,
                    help: "the file is damaged, or should be cut into pieces".into(),
                });
            }
            match &found.kind {
                b"moov" if moov.is_none() => moov = Some(found.read(&mut file, path)?),
                b"moof" => fragments.push((found.start, found.read(&mut file, path)?)),
                _ => {}
            }
        }
        let Some(moov) = moov else {
            return Err(bad(
                "it has no `moov` box, the table of its tracks; the file is cut off or was never finished".into(),
            ));
        };
        let tables = Tables::read(&moov).map_err(|e| bad(format!("its `moov` box: {e}")))?;
        let max_samples = limits.max_frames.saturating_mul(SAMPLES_PER_FRAME_LIMIT);
        let mut tracks = Vec::new();
        let mut failure = None;
        for trak in tables.traks {
            match trak.and_then(|trak| track_of(trak, max_samples)) {
                Ok(Some(track)) => tracks.push(track),
                Ok(None) => {}
                Err(reason) => failure = Some(reason),
            }
        }
        if !fragments.is_empty() {
            fragments::append(&mut tracks, &tables.mvex, &fragments, max_samples).map_err(bad)?;
        }
        if let (true, Some(reason)) = (tracks.is_empty(), failure) {
            return Err(bad(reason));
        }
        Ok(Self { path: path.to_path_buf(), timescale: tables.header.timescale.get(), tracks, file, length })
    }

    /// The first track of `kind`.
    pub(super) fn first(&self, kind: Kind) -> Option<&Track> {
        self.tracks.iter().find(|track| track.kind == kind)
    }

    /// Refuses a sample that does not lie in the file.
    pub(super) fn check(&self, sample: &Sample) -> Result<()> {
        let end = sample.offset.checked_add(u64::from(sample.size));
        if end.is_none_or(|end| end > self.length) {
            return Err(Error::malformed(
                &self.path,
                FORMAT,
                format!(
                    "a sample reaches to byte {}, but the file ends at {}; it is cut off",
                    end.unwrap_or(u64::MAX),
                    self.length
                ),
            ));
        }
        Ok(())
    }

    /// Reads the bytes of a sample into `buffer`.
    pub(super) fn read(&mut self, sample: &Sample, buffer: &mut Vec<u8>) -> Result<()> {
        self.check(sample)?;
        buffer.resize(sample.size as usize, 0);
        self.file
            .seek(SeekFrom::Start(sample.offset))
            .and_then(|_| self.file.read_exact(buffer))
            .map_err(Error::io("read", &self.path))
    }
}

/// A box of tables at the top level of the file.
struct TopLevelBox {
    kind: [u8; 4],
    start: u64,
    size: u64,
}

impl TopLevelBox {
    fn read(&self, file: &mut File, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.size as usize];
        file.seek(SeekFrom::Start(self.start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(Error::io("read", path))?;
        Ok(bytes)
    }
}

/// Boxes with tables (`moov`, `moof`) that lie in the file whole; stops at the first box that does not.
fn top_level_boxes(file: &mut File, length: u64) -> std::io::Result<Vec<TopLevelBox>> {
    let mut boxes = Vec::new();
    let mut start = 0;
    for _ in 0..MAX_TOP_LEVEL_BOXES {
        if length - start < 8 {
            break;
        }
        let mut header = [0; 16];
        let known = (length - start).min(16) as usize;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut header[..known])?;
        let [a, b, c, d, kind @ ..]: [u8; 8] = header[..8].try_into().expect("eight bytes");
        let size = match u32::from_be_bytes([a, b, c, d]) {
            0 => length - start,
            1 if known == 16 => u64::from_be_bytes(header[8..].try_into().expect("eight bytes")),
            size => size.into(),
        };
        if size < 8 || size > length - start {
            break;
        }
        if matches!(&kind, b"moov" | b"moof") {
            boxes.push(TopLevelBox { kind, start, size });
        }
        start += size;
    }
    Ok(boxes)
}

/// The parts of `moov` that matter; a track that cannot be read does not hide the others.
struct Tables {
    header: MvhdBox,
    traks: Vec<Result<TrakBox, String>>,
    mvex: Option<MvexBox>,
}

impl Tables {
    fn read(moov: &[u8]) -> Result<Self, String> {
        let (mut header, mut traks, mut mvex) = (None, Vec::new(), None);
        let (_, mut rest) = shiguredo_mp4::BoxHeader::decode_header_and_payload(moov).map_err(|e| e.to_string())?;
        while rest.len() >= 8 {
            let size = u32::from_be_bytes(rest[..4].try_into().expect("four bytes")) as usize;
            let Some((child, tail)) = rest.split_at_checked(size).filter(|_| size >= 8) else {
                return Err("a box reaches beyond it".into());
            };
            match &child[4..8] {
                b"mvhd" => header = Some(MvhdBox::decode(child).map_err(|e| e.to_string())?.0),
                b"trak" => {
                    traks.push(TrakBox::decode(child).map(|decoded| decoded.0).map_err(|e| format!("a track: {e}")))
                }
                b"mvex" => mvex = MvexBox::decode(child).ok().map(|decoded| decoded.0),
                _ => {}
            }
            rest = tail;
        }
        Ok(Self { header: header.ok_or("no `mvhd` box")?, traks, mvex })
    }
}

/// `None` for tracks that are neither pictures nor sound.
fn track_of(trak: TrakBox, max_samples: u64) -> Result<Option<Track>, String> {
    let TrakBox { tkhd_box, edts_box, mdia_box, .. } = trak;
    let MdiaBox { mdhd_box, hdlr_box, minf_box, .. } = mdia_box;
    let kind = match hdlr_box.handler_type {
        HdlrBox::HANDLER_TYPE_VIDE => Kind::Video,
        HdlrBox::HANDLER_TYPE_SOUN => Kind::Audio,
        _ => return Ok(None),
    };
    let id = tkhd_box.track_id;
    let Some(entry) = minf_box.stbl_box.stsd_box.entries.first().cloned() else {
        return Err(format!("track {id} has no sample description"));
    };
    let stbl = StblRef(minf_box.stbl_box);
    let table = SampleTableAccessor::new(stbl).map_err(|e| format!("the sample table of track {id}: {e}"))?;
    if u64::from(table.sample_count()) > max_samples {
        return Err(format!("track {id} lists {} samples, above the limit of {max_samples}", table.sample_count()));
    }
    if table.chunks().any(|chunk| chunk.sample_entry_index() != 0) {
        return Err(format!("track {id} changes its codec settings midway, which is not supported"));
    }
    let samples = table
        .samples()
        .map(|sample| Sample {
            offset: sample.data_offset(),
            size: sample.data_size(),
            decode_time: i64::try_from(sample.timestamp()).unwrap_or(i64::MAX),
            composition_offset: sample.composition_time_offset().unwrap_or(0),
            duration: sample.duration(),
            key_frame: sample.is_sync_sample(),
        })
        .collect();
    let edits = edts_box.and_then(|edts| edts.elst_box).map(|elst| elst.entries).unwrap_or_default();
    let edits = edits
        .into_iter()
        .map(|entry| Edit {
            duration: entry.edit_duration,
            media_time: (entry.media_time >= 0).then_some(entry.media_time),
        })
        .collect();
    Ok(Some(Track { id, kind, timescale: mdhd_box.timescale.get(), matrix: tkhd_box.matrix, entry, edits, samples }))
}

/// Gives the table accessor the reference type that it asks for.
struct StblRef(shiguredo_mp4::boxes::StblBox);

impl AsRef<shiguredo_mp4::boxes::StblBox> for StblRef {
    fn as_ref(&self) -> &shiguredo_mp4::boxes::StblBox {
        &self.0
    }
}

/// Matrix code and range of a `colr` box of kind `nclx` or `nclc` among the boxes of a sample description.
pub(super) fn colour_box(boxes: &[UnknownBox]) -> (Option<u16>, Option<bool>) {
    let Some(colr) = boxes.iter().find(|b| b.box_type == BoxType::Normal(*b"colr")) else { return (None, None) };
    match (colr.payload.get(..4), colr.payload.get(4..)) {
        (Some(b"nclx"), Some([_, _, _, _, a, b, range, ..])) => {
            (Some(u16::from_be_bytes([*a, *b])), Some(range & 0x80 != 0))
        }
        (Some(b"nclc"), Some([_, _, _, _, a, b, ..])) => (Some(u16::from_be_bytes([*a, *b])), None),
        _ => (None, None),
    }
}

/// Name of a sample description's codec for people.
pub(super) fn codec_name(entry: &SampleEntry) -> String {
    let code = entry.box_type();
    let code = String::from_utf8_lossy(code.as_bytes()).into_owned();
    let name = match code.as_str() {
        "avc1" | "avc3" => "H.264",
        "hvc1" | "hev1" | "dvh1" | "dvhe" => "HEVC",
        "av01" => "AV1",
        "vp08" => "VP8",
        "vp09" => "VP9",
        "mp4v" => "MPEG-4 part 2",
        "jpeg" | "mjpg" => "Motion JPEG",
        "apch" | "apcn" | "apcs" | "apco" | "ap4h" | "ap4x" => "ProRes",
        "mp4a" => "AAC",
        "Opus" => "Opus",
        _ => return format!("the codec `{code}`"),
    };
    format!("{name} (`{code}`)")
}
