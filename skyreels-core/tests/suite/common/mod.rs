//! What several tests of this crate need.

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// A folder of the shared test material; prints why and gives `None` where it is absent.
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(folder);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

/// A tensor of a golden file: name, element type, shape, little-endian bytes.
pub type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// A tensor of single-precision numbers.
pub fn floats(name: &str, shape: &[usize], values: &[f32]) -> Stored {
    (name.into(), Dtype::F32, shape.to_vec(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A tensor of whole numbers.
pub fn integers(name: &str, values: &[i64]) -> Stored {
    (name.into(), Dtype::I64, vec![values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A picture as a golden file has it.
pub fn picture(name: &str, picture: &skyreels_core::Frame) -> Stored {
    let shape = vec![picture.height() as usize, picture.width() as usize, 3];
    (name.into(), Dtype::U8, shape, picture.as_raw().clone())
}

/// Writes a golden file of our own; the path of its JSON.
pub fn write_golden(folder: &Path, name: &str, header: &str, tensors: &[Stored]) -> PathBuf {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    std::fs::write(folder.join(format!("{name}.safetensors")), safetensors::serialize(views, None).unwrap()).unwrap();
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, header).unwrap();
    path
}

/// A picture with soft shapes that move with `index`.
pub fn moving_picture(index: u32, width: u32, height: u32) -> skyreels_core::Frame {
    skyreels_core::Frame::from_fn(width, height, |x, y| {
        let wave = |a: f32, b: f32, c: f32| {
            let phase = a * x as f32 + b * y as f32 + c * index as f32;
            (127.5 + 100.0 * phase.sin()) as u8
        };
        image::Rgb([wave(0.05, 0.03, 0.2), wave(-0.02, 0.06, 0.1), wave(0.03, -0.04, 0.15)])
    })
}

/// Peak signal-to-noise ratio over all channels, in decibels.
pub fn psnr(a: &skyreels_core::Frame, b: &skyreels_core::Frame) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.as_raw().len() as f64 / squares.max(1e-9)).log10()
}
