#![doc = include_str!("../README.md")]

use std::path::Path;
use std::{fs, io};

/// Folder of the landmark network, beside the components of the published layout.
pub const LANDMARKS: &str = "landmarks";

/// A file of the model directory, and its bytes.
pub type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(($name, include_bytes!(concat!("../model/", $name)).as_slice()),)*]
    };
}

/// The files of a model directory in the published layout, by their paths in it; weights are f16. Of the landmark guider it has
/// what is used, the encoder.
pub const FILES: &[File] = files![
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "pose_guider/config.json",
    "pose_guider/diffusion_pytorch_model.safetensors",
    "siglip-so400m-patch14-384/config.json",
    "siglip-so400m-patch14-384/model.safetensors",
    "scheduler/scheduler_config.json",
    "landmarks/config.json",
    "landmarks/model.safetensors",
];

/// Writes the model directory; folders are made, files are replaced.
///
/// # Errors
/// When a file cannot be written.
pub fn write(directory: &Path) -> io::Result<()> {
    FILES.iter().try_for_each(|file| write_file(directory, file))
}

/// Writes the landmark network alone, into `directory/landmarks`.
///
/// # Errors
/// When a file cannot be written.
pub fn write_landmarks(directory: &Path) -> io::Result<()> {
    let mut own = FILES.iter().filter(|(name, _)| name.starts_with(LANDMARKS));
    own.try_for_each(|file| write_file(directory, file))
}

fn write_file(directory: &Path, (name, bytes): &File) -> io::Result<()> {
    let path = directory.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten megabytes, less some room for sources: weights hardly get smaller when they are packed.
    const MOST_BYTES: usize = 9_900_000;

    #[test]
    fn the_crate_is_small_enough_for_the_registry() {
        let bytes: usize = FILES.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(bytes < MOST_BYTES, "{bytes}");
    }

    #[test]
    fn what_is_written_is_what_is_embedded() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        for (name, bytes) in FILES {
            assert_eq!(fs::read(directory.path().join(name)).unwrap(), *bytes, "{name}");
        }
    }
}
