//! Pictures and video.

mod audio;
mod clip;
mod codec;
mod encode;
mod fit;
mod fragments;
mod h264;
mod mp4;
mod mux;
mod native;
mod orientation;
mod picture;
mod quality;
mod rate;
mod resize;
pub mod sampling;
mod sequence;
mod sps;
mod timeline;
mod video;
mod yuv;

pub use clip::write_clip;
pub use codec::{CodecError, CodecParameters, Packet, VideoDecoder, VideoEncoder};
pub use encode::{VideoOptions, VideoWriter, WrittenClip};
pub use fit::fit;
pub use picture::{Alpha, read_picture, read_picture_with, write_picture};
pub use quality::Quality;
pub use rate::FrameRate;
pub use resize::{Filter, Interpolation, resize_opencv, resize_pillow};
pub use video::{DecodedFrame, DecodedPlanes, SelectedFrames, VideoInfo, VideoReader};
pub use yuv::{Colour, Matrix, Yuv420};
