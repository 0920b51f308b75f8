//! Golden files made from others, or from numbers; a small transformer.

pub mod tiny;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skyreels_core::golden::Golden;

/// Copies the golden file `from` to `folder`, changed: `edit` gets the JSON file, the header of the
/// tensors and their bytes.
pub fn edited(from: &str, folder: &Path, edit: impl FnOnce(&mut Value, &mut Value, &mut Vec<u8>)) -> Golden {
    let from = PathBuf::from(from);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&from).unwrap()).unwrap();
    let bytes = std::fs::read(from.with_extension("safetensors")).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut data = bytes[8 + length..].to_vec();
    edit(&mut json, &mut header, &mut data);
    write(folder, &json, &header, &data)
}

/// A golden file of these f32 tensors.
pub fn made(folder: &Path, json: &Value, tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> Golden {
    let (mut header, mut data) = (json!({}), Vec::new());
    for (name, shape, values) in tensors {
        let from = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header[*name] = json!({ "dtype": "F32", "shape": shape, "data_offsets": [from, data.len()] });
    }
    write(folder, json, &header, &data)
}

fn write(folder: &Path, json: &Value, header: &Value, data: &[u8]) -> Golden {
    let path = folder.join("made.json");
    std::fs::write(&path, serde_json::to_vec(json).unwrap()).unwrap();
    let header = serde_json::to_vec(header).unwrap();
    let bytes = [&(header.len() as u64).to_le_bytes()[..], &header, data].concat();
    std::fs::write(path.with_extension("safetensors"), bytes).unwrap();
    Golden::open(&path).unwrap()
}
