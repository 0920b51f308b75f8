//! A SkyReels-A1 checkpoint on disk: five components, read in the published layout.

mod convert;
mod directory;
mod inspect;
mod preset;
mod training;

pub use directory::ModelDir;
pub use inspect::{ComponentReport, Inspection, inspect};
pub use preset::{Preset, write_published_configs};

/// Folder of the denoiser.
pub const TRANSFORMER: &str = "transformer";
/// Folder of the video VAE.
pub const VAE: &str = "vae";
/// Folder of the landmark guider, an encoder of the VAE's class with weights of its own.
pub const GUIDER: &str = "pose_guider";
/// Folder of the vision tower that reads the portrait's face.
pub const SIGLIP: &str = "siglip-so400m-patch14-384";
/// Folder of the noise schedule.
pub const SCHEDULER: &str = "scheduler";
