//! What several tests of this crate need.

use std::path::PathBuf;

/// A folder of the shared test material; prints why and gives `None` where it is absent.
#[allow(dead_code, reason = "not every test uses every helper")]
pub fn shared(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(folder);
    if !path.exists() {
        println!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}

/// The tensors of one golden file.
#[allow(dead_code, reason = "not every test uses every helper")]
pub struct Golden {
    bytes: Vec<u8>,
    names: Vec<String>,
}

#[allow(dead_code, reason = "not every test uses every helper")]
impl Golden {
    /// `name` without its ending, under the shared folder.
    pub fn open(name: &str) -> Option<Self> {
        let path = shared(&format!("{name}.safetensors"))?;
        let bytes = std::fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names: Vec<String> = tensors.names().into_iter().map(Into::into).collect();
        names.sort();
        Some(Self { bytes, names })
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// A `[height, width, 3]` tensor of bytes.
    pub fn picture(&self, name: &str) -> skyreels_core::Frame {
        let tensors = safetensors::SafeTensors::deserialize(&self.bytes).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        let &[height, width, 3] = tensor.shape() else { panic!("{name} is {:?}", tensor.shape()) };
        skyreels_core::Frame::from_raw(width as u32, height as u32, tensor.data().to_vec()).unwrap()
    }
}

/// A picture with soft shapes that move with `index`.
#[allow(dead_code, reason = "not every test uses every helper")]
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
#[allow(dead_code, reason = "not every test uses every helper")]
pub fn psnr(a: &skyreels_core::Frame, b: &skyreels_core::Frame) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let squares: f64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.as_raw().len() as f64 / squares.max(1e-9)).log10()
}
