//! The sequence parameter set of H.264 (ITU-T H.264, 7.3.2.1.1): size, kind of samples, colour.

use super::codec::CodecError;
use super::yuv::{Colour, Matrix};

/// `Extended_SAR` of table E-1: the sample aspect ratio follows as two numbers.
const EXTENDED_SAR: u32 = 255;
/// Profiles whose parameter sets carry chroma format and bit depth.
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What the decoder border needs to know before it hands a stream on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sps {
    /// Width after cropping.
    pub width: u32,
    /// Height after cropping.
    pub height: u32,
    /// Matrix as the VUI names it (H.273 code), where it does.
    pub matrix_code: Option<u16>,
    /// Full range as the VUI says, where it does.
    pub full_range: Option<bool>,
}

impl Sps {
    /// Reads a NAL unit of type 7, header byte included.
    pub(super) fn parse(nal: &[u8]) -> Result<Self, CodecError> {
        let rbsp = unescape(nal.get(1..).unwrap_or_default());
        let mut bits = BitReader { bytes: &rbsp, at: 0 };
        Self::read(&mut bits)
            .unwrap_or_else(|| Err(CodecError::Corrupt("the sequence parameter set is cut off".into())))
    }

    /// `None` when the bits run out.
    fn read(bits: &mut BitReader) -> Option<Result<Self, CodecError>> {
        let unsupported = |what: &str| Some(Err(CodecError::Unsupported(format!("H.264 {what}"))));
        let profile = bits.take(8)?;
        bits.take(16)?;
        bits.unsigned()?;
        if HIGH_PROFILES.contains(&profile) {
            match bits.unsigned()? {
                1 => {}
                0 => return unsupported("without colour (4:0:0)"),
                2 => return unsupported("with 4:2:2 chroma"),
                _ => return unsupported("with 4:4:4 chroma"),
            }
            let (luma, chroma) = (bits.unsigned()?, bits.unsigned()?);
            if luma != 0 || chroma != 0 {
                return unsupported(&format!("with {} bits per sample", luma.max(chroma).saturating_add(8)));
            }
            bits.take(1)?;
            if bits.flag()? {
                skip_scaling_lists(bits)?;
            }
        }
        bits.unsigned()?;
        match bits.unsigned()? {
            0 => {
                bits.unsigned()?;
            }
            1 => {
                bits.take(1)?;
                bits.unsigned()?;
                bits.unsigned()?;
                for _ in 0..bits.unsigned()? {
                    bits.unsigned()?;
                }
            }
            _ => {}
        }
        bits.unsigned()?;
        bits.take(1)?;
        let columns = u64::from(bits.unsigned()?) + 1;
        let rows = u64::from(bits.unsigned()?) + 1;
        let frames_only = bits.flag()?;
        if !frames_only {
            // Adaptive frame/field coding per macroblock; picture-level field coding shows in the slices.
            if bits.flag()? {
                return unsupported("interlaced per macroblock");
            }
        }
        bits.take(1)?;
        let mut crop = [0; 4];
        if bits.flag()? {
            for side in &mut crop {
                *side = u64::from(bits.unsigned()?);
            }
        }
        let [left, right, top, bottom] = crop;
        if left != 0 || top != 0 {
            return unsupported("cropped at the left or top");
        }
        let field_rows = if frames_only { 1 } else { 2 };
        let side = |coded: u64, cropped: u64| {
            coded.checked_sub(cropped).filter(|s| *s > 0).and_then(|s| u32::try_from(s).ok())
        };
        let (Some(width), Some(height)) =
            (side(columns * 16, right * 2), side(rows * 16 * field_rows, bottom * 2 * field_rows))
        else {
            return Some(Err(CodecError::Corrupt("the cropping leaves no picture".into())));
        };
        // A cut-off VUI is common and harmless: what could not be read is "not said".
        let (matrix_code, full_range) = read_colour(bits).unwrap_or_default();
        Some(Ok(Self { width, height, matrix_code, full_range }))
    }
}

/// Matrix code and range from the VUI (E.1.1).
fn read_colour(bits: &mut BitReader) -> Option<(Option<u16>, Option<bool>)> {
    if !bits.flag()? {
        return Some((None, None));
    }
    if bits.flag()? && bits.take(8)? == EXTENDED_SAR {
        bits.take(32)?;
    }
    if bits.flag()? {
        bits.take(1)?;
    }
    if !bits.flag()? {
        return Some((None, None));
    }
    bits.take(3)?;
    let full_range = bits.flag()?;
    let matrix = if bits.flag()? {
        bits.take(16)?;
        Some(bits.take(8)? as u16)
    } else {
        None
    };
    Some((matrix, Some(full_range)))
}

fn skip_scaling_lists(bits: &mut BitReader) -> Option<()> {
    for list in 0..8 {
        if bits.flag()? {
            let (mut last, mut next) = (8_i64, 8_i64);
            for _ in 0..if list < 6 { 16 } else { 64 } {
                if next != 0 {
                    next = (last + i64::from(bits.signed()?)).rem_euclid(256);
                }
                last = if next == 0 { last } else { next };
            }
        }
    }
    Some(())
}

/// The same parameter set with a VUI that says how the colours are meant and, for `rate`, how long a frame lasts.
///
/// `sps` must end in `vui_parameters_present_flag = 0`, as encoders without a VUI write it; else it comes
/// back unchanged.
pub(super) fn with_vui(sps: &[u8], colour: Colour, units_per_frame: u32, timescale: u32) -> Vec<u8> {
    let rbsp = unescape(sps);
    let bits: Vec<bool> = rbsp.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
    let Some(stop) = bits.iter().rposition(|bit| *bit) else { return sps.to_vec() };
    if stop == 0 || bits[stop - 1] {
        return sps.to_vec();
    }
    let mut bits = bits[..stop - 1].to_vec();
    let mut put = |value: u32, count: u32| bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    put(1, 1); // vui_parameters_present_flag
    put(0, 2); // no aspect ratio, no overscan information
    put(1, 1); // video_signal_type_present_flag
    put(5, 3); // video_format: unspecified
    put(u32::from(colour.full_range), 1);
    put(1, 1); // colour_description_present_flag
    put(PRIMARIES_BT709.into(), 8);
    put(TRANSFER_BT709.into(), 8);
    put(colour.matrix.code().into(), 8);
    put(0, 1); // no chroma location
    // A tick is half a frame (E.2.1); a rate that does not fit is left to the container.
    match timescale.checked_mul(2) {
        Some(ticks) => {
            put(1, 1);
            put(units_per_frame, 32);
            put(ticks, 32);
            put(1, 1); // fixed_frame_rate_flag
        }
        None => put(0, 1),
    }
    put(0, 4); // no HRD parameters twice, no picture structure, no bitstream restriction
    put(1, 1); // stop bit
    let bytes: Vec<u8> = bits
        .chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | u8::from(*bit) << (7 - at)))
        .collect();
    escape(&bytes)
}

/// Primaries that RGB pictures are taken to have: BT.709, which are those of sRGB (H.273).
pub(super) const PRIMARIES_BT709: u8 = 1;
/// Transfer characteristics of BT.709 (H.273).
pub(super) const TRANSFER_BT709: u8 = 1;

/// Colour of a stream: the container's word, else the stream's, else BT.601 in limited range.
pub(super) fn colour_of(container: (Option<u16>, Option<bool>), stream: &Sps) -> Colour {
    let matrix = |code: Option<u16>| code.and_then(Matrix::from_code);
    Colour {
        matrix: matrix(container.0).or_else(|| matrix(stream.matrix_code)).unwrap_or_default(),
        full_range: container.1.or(stream.full_range).unwrap_or(false),
    }
}

/// Drops the emulation prevention bytes (7.4.1).
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for &byte in bytes {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 8);
    let mut zeros = 0;
    for &byte in bytes {
        if zeros == 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    /// Exp-Golomb code `ue(v)` (9.1).
    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.take(zeros)?)
    }

    /// Exp-Golomb code `se(v)` (9.1.1).
    fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        Some(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) } as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 96x64 High profile set without VUI, NAL header included: 100, 0, level 30, then
    /// ue(0) ue(1) ue(0) ue(0) 0 0 | ue(0) ue(0) ue(4) ue(1) 0 ue(5) ue(3) 1 1 0 0 | stop.
    fn plain() -> Vec<u8> {
        let mut bits = String::from("1");
        bits += "010110000"; // chroma 4:2:0, depths, bypass, scaling matrix... see below
        bits.clear();
        for code in
            ["1", "010", "1", "1", "0", "0", "1", "1", "00101", "010", "0", "00110", "00100", "1", "1", "0", "0", "1"]
        {
            bits += code;
        }
        while bits.len() % 8 != 0 {
            bits.push('0');
        }
        let mut nal = vec![0x67, 100, 0, 30];
        nal.extend(bits.as_bytes().chunks(8).map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 2).unwrap()));
        nal
    }

    #[test]
    fn a_plain_set_gives_its_size_and_no_colour() {
        let sps = Sps::parse(&plain()).unwrap();
        assert_eq!((sps.width, sps.height, sps.matrix_code, sps.full_range), (96, 64, None, None));
    }

    #[test]
    fn the_added_vui_says_what_it_was_told() {
        for (matrix, full_range) in [(Matrix::Bt601, false), (Matrix::Bt709, true)] {
            let colour = Colour { matrix, full_range };
            let sps = Sps::parse(&with_vui(&plain(), colour, 1_000, 12_000)).unwrap();
            assert_eq!((sps.width, sps.height), (96, 64));
            assert_eq!(colour_of((None, None), &sps), colour);
        }
    }

    #[test]
    fn a_cut_off_set_is_an_error_at_every_length() {
        let whole = plain();
        for length in 0..whole.len() - 1 {
            assert!(Sps::parse(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn escaping_is_undone_by_unescaping() {
        for bytes in [vec![0, 0, 0, 0, 0, 1], vec![0, 0, 3], vec![1, 0, 0, 2, 0, 0], vec![]] {
            assert_eq!(unescape(&escape(&bytes)), bytes);
        }
    }
}
