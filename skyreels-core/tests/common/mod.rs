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
