//! H.264 behind our traits, by the pure Rust codec `rusty_h264`.

use rusty_h264::{DecodeError, Decoder, EncodeError, Encoder, EncoderConfig, Preset, YuvPlanes};

use super::codec::{CodecError, CodecParameters, Packet, VideoDecoder, VideoEncoder};
use super::sps::{self, Sps};
use super::yuv::{Colour, Yuv420};
use super::{FrameRate, Quality};

/// NAL unit types (H.264, table 7-1).
const SLICE: u8 = 1;
const PARTITION_A: u8 = 2;
const KEY_SLICE: u8 = 5;
const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;

/// Macroblocks in a frame at level 5.2, the highest that the encoder declares (table A-1).
const MAX_MACROBLOCKS: usize = 36_864;
/// Bytes before each NAL unit that we write.
const LENGTH_SIZE: usize = 4;

/// Decodes progressive 8-bit 4:2:0 H.264 of all profiles that have it.
pub(super) struct H264Decoder {
    decoder: Decoder,
    parameter_sets: Vec<u8>,
    length_size: usize,
    max_side: u32,
    stream: Vec<u8>,
}

impl H264Decoder {
    /// A decoder for streams with these parameter sets and `length_size` bytes before each NAL unit.
    pub(super) fn new(sps: &[Vec<u8>], pps: &[Vec<u8>], length_size: usize, max_side: u32) -> Result<Self, CodecError> {
        let mut parameter_sets = Vec::new();
        for nal in sps {
            check_size(nal, max_side)?;
        }
        for nal in sps.iter().chain(pps) {
            push_annex_b(&mut parameter_sets, nal);
        }
        let mut this = Self { decoder: Decoder::new(), parameter_sets, length_size, max_side, stream: Vec::new() };
        this.reset()?;
        Ok(this)
    }
}

impl VideoDecoder for H264Decoder {
    fn decode(&mut self, access_unit: &[u8]) -> Result<Yuv420, CodecError> {
        self.stream.clear();
        for nal in length_prefixed(access_unit, self.length_size) {
            let nal = nal?;
            match nal.first().map(|header| header & 0x1f) {
                Some(SEQUENCE_PARAMETERS) => check_size(nal, self.max_side)?,
                Some(SLICE | KEY_SLICE | PICTURE_PARAMETERS) => {}
                Some(PARTITION_A) => return Err(CodecError::Unsupported("H.264 with data partitioning".into())),
                _ => continue,
            }
            push_annex_b(&mut self.stream, nal);
        }
        let frame = self.decoder.decode(&self.stream).map_err(from_decoder)?;
        let frame = frame.ok_or_else(|| CodecError::Corrupt("the picture is incomplete".into()))?;
        let planes =
            Yuv420 { width: frame.width as u32, height: frame.height as u32, y: frame.y, u: frame.u, v: frame.v };
        let (luma, chroma) = (frame.width * frame.height, frame.width.div_ceil(2) * frame.height.div_ceil(2));
        if luma == 0 || planes.y.len() != luma || planes.u.len() != chroma || planes.v.len() != chroma {
            return Err(CodecError::Corrupt(format!("a picture of {}x{}", frame.width, frame.height)));
        }
        Ok(planes)
    }

    fn reset(&mut self) -> Result<(), CodecError> {
        self.decoder = Decoder::new();
        self.decoder.decode(&self.parameter_sets).map_err(from_decoder)?;
        Ok(())
    }
}

/// Refuses a stream whose pictures are too large before the decoder makes room for them.
fn check_size(sps: &[u8], max_side: u32) -> Result<(), CodecError> {
    let Sps { width, height, .. } = Sps::parse(sps)?;
    if width.max(height) > max_side {
        return Err(CodecError::Unsupported(format!("a picture of {width}x{height}, above the limit of {max_side}")));
    }
    Ok(())
}

fn push_annex_b(stream: &mut Vec<u8>, nal: &[u8]) {
    stream.extend_from_slice(&[0, 0, 0, 1]);
    stream.extend_from_slice(nal);
}

/// NAL units of a sample, each after its length.
fn length_prefixed(sample: &[u8], length_size: usize) -> impl Iterator<Item = Result<&[u8], CodecError>> {
    let mut rest = sample;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = rest.split_at_checked(length_size).and_then(|(length, tail)| {
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            tail.split_at_checked(length)
        });
        Some(match unit {
            Some((nal, tail)) => {
                rest = tail;
                Ok(nal)
            }
            None => {
                rest = &[];
                Err(CodecError::Corrupt("a NAL unit reaches beyond its sample".into()))
            }
        })
    })
}

fn from_decoder(error: DecodeError) -> CodecError {
    match error {
        DecodeError::Unsupported(what) => CodecError::Unsupported(format!("H.264 with {what}")),
        other => CodecError::Corrupt(other.to_string()),
    }
}

/// Encodes 8-bit 4:2:0 pictures as H.264 High profile with constant quality and without reordering.
pub(super) struct H264Encoder {
    encoder: Encoder,
    colour: Colour,
    frame_rate: FrameRate,
    parameters: Option<CodecParameters>,
}

impl H264Encoder {
    pub(super) fn new(
        width: u32,
        height: u32,
        frame_rate: FrameRate,
        quality: Quality,
        colour: Colour,
    ) -> Result<Self, CodecError> {
        let (width, height) = (width as usize, height as usize);
        if width.div_ceil(16) * height.div_ceil(16) > MAX_MACROBLOCKS {
            return Err(CodecError::Unsupported(format!(
                "a picture of {width}x{height}, too large for H.264 level 5.2"
            )));
        }
        let mut config = EncoderConfig::new(width, height);
        config.preset = Preset::Balanced;
        config.qp = quality.quantizer();
        config.framerate = frame_rate.as_f64() as f32;
        let encoder = Encoder::new(config).map_err(from_encoder)?;
        Ok(Self { encoder, colour, frame_rate, parameters: None })
    }

    /// Cuts the encoder's byte stream into access units; parameter sets go to the container.
    fn packets(&mut self, annex_b: &[u8]) -> Vec<Packet> {
        let mut packets: Vec<Packet> = Vec::new();
        let (mut sps, mut pps) = (None, None);
        for nal in annex_b_units(annex_b) {
            let Some(header) = nal.first() else { continue };
            let kind = header & 0x1f;
            match kind {
                SEQUENCE_PARAMETERS => sps = Some(nal),
                PICTURE_PARAMETERS => pps = Some(nal),
                SLICE | KEY_SLICE => {
                    // `first_mb_in_slice` is ue(v): a leading 1 bit means zero, a new picture.
                    let begins_picture = nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
                    if begins_picture || packets.is_empty() {
                        packets.push(Packet { data: Vec::new(), key_frame: kind == KEY_SLICE });
                    }
                    let packet = packets.last_mut().expect("one was pushed");
                    packet.data.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                    packet.data.extend_from_slice(nal);
                }
                _ => {}
            }
        }
        if let (None, Some(sps), Some(pps)) = (&self.parameters, sps, pps) {
            let sps = sps::with_vui(sps, self.colour, self.frame_rate.denominator(), self.frame_rate.numerator());
            self.parameters = Some(CodecParameters::Avc { sps, pps: pps.to_vec() });
        }
        debug_assert!(packets.iter().all(|packet| packet.data.len() > LENGTH_SIZE));
        packets
    }
}

impl VideoEncoder for H264Encoder {
    fn encode(&mut self, picture: &Yuv420) -> Result<Vec<Packet>, CodecError> {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let planes = YuvPlanes::tight(width, height, &picture.y, &picture.u, &picture.v)
            .ok_or_else(|| CodecError::Unsupported(format!("a picture of {width}x{height}")))?;
        let stream = self.encoder.encode_planes(&planes).map_err(from_encoder)?;
        Ok(self.packets(&stream))
    }

    fn finish(&mut self) -> Result<Vec<Packet>, CodecError> {
        let stream = self.encoder.try_flush().map_err(from_encoder)?;
        Ok(self.packets(&stream))
    }

    fn parameters(&self) -> Option<CodecParameters> {
        self.parameters.clone()
    }
}

impl Drop for H264Encoder {
    fn drop(&mut self) {
        // In builds with assertions the codec insists that its queue has been emptied.
        if cfg!(debug_assertions) {
            let _ = self.encoder.try_flush();
        }
    }
}

/// NAL units of a byte stream with start codes (H.264, annex B).
fn annex_b_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some(offset) = stream[at..].windows(3).position(|window| window == [0, 0, 1]) {
        at += offset + 3;
        starts.push(at);
    }
    let ends: Vec<usize> = starts.iter().skip(1).map(|start| start - 3).chain([stream.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| {
        let unit = &stream[start..end];
        // A four-byte start code, or stuffing, leaves zeros at the end of the unit before it.
        let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        &unit[..length]
    })
}

fn from_encoder(error: EncodeError) -> CodecError {
    CodecError::Unsupported(error.to_string())
}
