//! Motion files: safetensors with a version, checked on the way in, whole or not at all on the way out.

mod read;
mod write;

pub use write::{MeshPrecision, SaveOptions};

use std::path::Path;

use super::flame::{FLAME_NUMBERS, FlameFrame, GROUPS};
use super::frame::{Apertures, MotionFrame};
use super::{Openness, State};
use crate::{BLENDSHAPES, Error, LANDMARKS};

/// Format name in errors.
const FORMAT: &str = "motion file";
/// Value of the metadata field `format`.
const MAGIC: &str = "skyreels-motion";
/// The version that holds frames in f32 and nothing else.
const VERSION_PLAIN: u32 = 1;
/// Newest version of the format; a reader knows all before it. It adds rest, expression mode, apertures, FLAME and f16
/// meshes.
const VERSION: u32 = 2;

/// Value of the metadata field `mode` where expressions are absolute; there is no field where they are relative.
const ABSOLUTE: &str = "absolute";

/// Names in front of the tensors of the rest.
const REST: &str = "rest.";
/// Name of the tensor of FLAME's eyes, `[n, 2, 17, 2]`.
const FLAME_EYES: &str = "flame.eyes";
/// Stands for an aperture that is not given.
const NO_APERTURE: f32 = -1.0;

/// One number per frame and slot, in f32: name and slots of a tensor.
struct Channel {
    name: &'static str,
    slots: usize,
}

const ROTATION: Channel = Channel { name: "rotation", slots: 4 };
const TRANSLATION: Channel = Channel { name: "translation", slots: 3 };
const EXPRESSION: Channel = Channel { name: "expression", slots: LANDMARKS * 3 };
const SCORES: Channel = Channel { name: "blendshapes", slots: BLENDSHAPES };
const OPENNESS: Channel = Channel { name: "openness", slots: 3 };
/// Right eye, left eye, mouth.
const APERTURES: Channel = Channel { name: "apertures", slots: 3 };

impl Channel {
    /// The tensor's shape for a number of frames.
    fn shape(&self, count: usize) -> Vec<usize> {
        if self.name == EXPRESSION.name { vec![count, LANDMARKS, 3] } else { vec![count, self.slots] }
    }
}

fn malformed(path: &Path, reason: impl Into<String>) -> Error {
    skyreels_core::Error::malformed(path, FORMAT, reason).into()
}
