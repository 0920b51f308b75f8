//! The door for networks that hear and see.

use serde::{Deserialize, Serialize};
use skyreels_core::Frame;

use crate::Result;

/// How far sound and lips are apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AudioVisualOffset {
    /// By how many seconds the sound comes late.
    pub seconds: f64,
    /// How sure that is, on the network's own scale (SyncNet's confidence).
    pub confidence: f64,
}

/// Decoded sound of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'a> {
    /// Pressure in -1..1.
    pub values: &'a [f32],
    /// Samples per second.
    pub rate: u32,
}

/// Measures the offset of sound and lips. No network of this kind is part of this crate: bring SyncNet or its successors.
pub trait AudioVisualSync: Send + Sync {
    /// The offset of a clip of faces, at so many frames per second, and its sound.
    ///
    /// # Errors
    /// Clips that are too short, or a device that fails.
    fn offset(&self, faces: &[Frame], frame_rate: f64, sound: Samples<'_>) -> Result<AudioVisualOffset>;
}
