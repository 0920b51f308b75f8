//! Pictures and video: read, sampled, fitted to the model's canvas, written.
//!
//! ```no_run
//! use skyreels_core::media::{FrameRate, VideoOptions, VideoReader, read_picture, write_clip};
//! use skyreels_core::resize::fit;
//! use skyreels_core::{Limits, Progress};
//!
//! let limits = Limits::default();
//! let portrait = fit(&read_picture("portrait.png", &limits)?, 720, 480)?;
//! let driving = VideoReader::open("driving.mp4", &limits)?.sample(FrameRate::NATIVE, 48);
//! let frames = driving.map(|frame| fit(&frame?.image, 720, 480));
//! write_clip("out.mp4", frames, FrameRate::NATIVE, Some("driving.mp4".as_ref()), &VideoOptions::default(), Progress::none())?;
//! # let _ = portrait;
//! # Ok::<(), skyreels_core::Error>(())
//! ```
//!
//! # What is supported
//!
//! | | by this library alone | with the feature `ffmpeg` and the program |
//! |---|---|---|
//! | containers read | MP4, MOV, M4V, fragmented or not | whatever the program reads |
//! | codecs read | H.264, 8 bits, 4:2:0, progressive, every profile that has it | whatever the program reads |
//! | respected | edit lists, variable frame rate (sampled by time, in step with the sound), rotation and mirrors, `colr` and VUI colour, full range | as the program does |
//! | not supported | interlaced, more bits, 4:2:2, 4:4:4, data partitions, a change of size midway | |
//! | video written | MP4 (H.264 High, constant quality), GIF, numbered PNG | |
//! | sound | copied from MP4, MOV, M4A whatever its codec; never decoded | |
//! | pictures read | PNG, JPEG, WebP, GIF (first frame), EXIF orientation, 16 bits, grey, palette, alpha | |
//! | pictures written | PNG | |
//!
//! Frames come as `ffmpeg`'s default conversion to `rgb24` gives them, bit for bit; resizing is that of Pillow and of
//! OpenCV, bit for bit. Pixels are taken as square. The codec patents of H.264 and AAC are the user's concern: the
//! crates used here carry a copyright licence only.
//!
//! Everything read is taken as hostile: sizes and counts are checked against [`Limits`](crate::Limits) before memory
//! is taken, and what is wrong is an [`Error`](crate::Error) that names the file. Everything written appears whole or
//! not at all.
//!
//! Codecs stand behind [`VideoDecoder`] and [`VideoEncoder`], so that another one can take the place of the present.

mod audio;
mod clip;
mod codec;
mod encode;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;
#[cfg(feature = "ffmpeg")]
mod ffprobe;
mod fragments;
mod h264;
mod mp4;
mod mux;
mod native;
mod orientation;
mod picture;
mod quality;
mod rate;
pub mod sampling;
mod sequence;
mod sound;
mod sps;
mod timeline;
mod track_boxes;
mod video;
mod yuv;

pub use clip::{ClipFormat, ClipWriter, check_clip_target, write_clip};
pub use codec::{CodecError, CodecParameters, Packet, VideoDecoder, VideoEncoder};
pub use encode::{VideoOptions, VideoWriter, WrittenClip};
pub use picture::{Alpha, read_picture, read_picture_with, write_picture};
pub use quality::Quality;
pub use rate::FrameRate;
pub use sound::Sound;
pub use video::{DecodedFrame, DecodedPlanes, SelectedFrames, VideoInfo, VideoReader};
pub use yuv::{Colour, Matrix, Yuv420};
