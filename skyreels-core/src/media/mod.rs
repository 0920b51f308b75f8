//! Pictures and video.

mod codec;
mod fit;
mod fragments;
mod h264;
mod mp4;
mod native;
mod orientation;
mod picture;
mod rate;
mod resize;
pub mod sampling;
mod sps;
mod timeline;
mod video;
mod yuv;

pub use codec::{CodecError, CodecParameters, Packet, VideoDecoder, VideoEncoder};
pub use fit::fit;
pub use picture::{Alpha, read_picture, read_picture_with, write_picture};
pub use rate::FrameRate;
pub use resize::{Filter, Interpolation, resize_opencv, resize_pillow};
pub use video::{DecodedFrame, DecodedPlanes, SelectedFrames, VideoInfo, VideoReader};
pub use yuv::{Colour, Matrix, Yuv420};

/// How good an encoded video is, from 0 (smallest) to 100 (best).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality(u8);

impl Quality {
    /// Quantizer.
    pub(crate) fn quantizer(self) -> u8 {
        self.0
    }
}
