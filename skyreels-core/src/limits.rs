//! What untrusted files may ask for before they are refused.

/// Upper bounds for everything read from outside: pictures, video, checkpoints, archives.
///
/// The defaults accept everything the published model can use, with a wide margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest width or height of a picture or video frame, in pixels.
    pub max_side: u32,
    /// Largest number of frames decoded from one video.
    pub max_frames: u64,
    /// Largest media or model-archive file read whole, in bytes.
    pub max_file_bytes: u64,
    /// Largest safetensors header, in bytes.
    pub max_header_bytes: u64,
    /// Largest number of shards of one checkpoint.
    pub max_shards: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_side: 16_384,
            max_frames: 100_000,
            max_file_bytes: 4 << 30,
            max_header_bytes: 100 << 20,
            max_shards: 1_000,
        }
    }
}
