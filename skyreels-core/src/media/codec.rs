//! The border to codecs: whoever decodes or encodes pictures stands behind these traits.

use super::yuv::Yuv420;

/// Why a codec could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The stream is valid, but uses something that this codec does not know.
    #[error("{0}")]
    Unsupported(String),
    /// The stream breaks the rules of its format.
    #[error("{0}")]
    Corrupt(String),
}

/// Turns compressed access units into pictures, in decoding order.
pub trait VideoDecoder: Send {
    /// Decodes one access unit as the container stores it.
    ///
    /// # Errors
    /// [`CodecError`] when the unit is damaged or uses an unknown coding tool, or does not make a whole picture.
    fn decode(&mut self, access_unit: &[u8]) -> Result<Yuv420, CodecError>;

    /// Forgets all earlier pictures; the next access unit must be a key frame.
    fn reset(&mut self) -> Result<(), CodecError>;
}

/// One compressed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The access unit as the container stores it.
    pub data: Vec<u8>,
    /// Whether decoding can begin here.
    pub key_frame: bool,
}

/// Turns pictures into packets, both in presentation order: no packet refers to a later one.
pub trait VideoEncoder: Send {
    /// Takes one picture; packets come when the encoder has looked far enough ahead.
    ///
    /// # Errors
    /// [`CodecError`] when the picture has another size than the encoder was made for.
    fn encode(&mut self, picture: &Yuv420) -> Result<Vec<Packet>, CodecError>;

    /// Gives out what is still held back; no picture may follow.
    ///
    /// # Errors
    /// [`CodecError`] when encoding the rest fails.
    fn finish(&mut self) -> Result<Vec<Packet>, CodecError>;

    /// What the container must know about the stream; there after the first packet.
    fn parameters(&self) -> Option<CodecParameters>;
}

/// What a container must store beside the packets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecParameters {
    /// H.264 with four-byte lengths before each NAL unit.
    Avc {
        /// Sequence parameter set.
        sps: Vec<u8>,
        /// Picture parameter set.
        pps: Vec<u8>,
    },
}
