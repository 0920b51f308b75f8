//! Pictures and video.
