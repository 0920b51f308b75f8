//! Keyed tensors in a safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::Weights;
use skyreels_core::output::OutputFile;
use skyreels_core::{Error as CoreError, Limits};

use crate::Result;

const FORMAT: &str = "training state";

/// Writes flat f32 tensors, whole or not at all.
pub(crate) fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor<1>>) -> Result<()> {
    let malformed = |error: safetensors::SafeTensorError| CoreError::malformed(path, FORMAT, error.to_string());
    let bytes: Vec<(&String, usize, Vec<u8>)> = tensors
        .iter()
        .map(|(key, tensor)| {
            let data = tensor.clone().cast(DType::F32).into_data();
            (key, tensor.shape().num_elements(), data.into_bytes().to_vec())
        })
        .collect();
    let mut views = BTreeMap::new();
    for (key, count, bytes) in &bytes {
        views.insert(key.as_str(), TensorView::new(Dtype::F32, vec![*count], bytes).map_err(malformed)?);
    }
    let file = OutputFile::create(path)?;
    safetensors::serialize_to_file(views, None, file.temporary_path()).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => CoreError::io("write", path)(source),
        other => malformed(other),
    })?;
    Ok(file.commit()?)
}

/// Reads flat f32 tensors.
pub(crate) fn read_tensors(path: &Path, device: &Device) -> Result<BTreeMap<String, Tensor<1>>> {
    let weights = Weights::open(path, &Limits::default())?;
    let keys: Vec<String> = weights.shapes().map(|(key, _)| key.to_string()).collect();
    let mut tensors = BTreeMap::new();
    for key in keys {
        let Some((shape, dtype, bytes)) = weights.raw(&key) else { continue };
        if dtype != Dtype::F32 || shape.len() != 1 {
            let reason = format!("`{key}` is {dtype:?} {shape:?}, a flat f32 tensor is needed");
            return Err(CoreError::malformed(path, FORMAT, reason).into());
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        let values: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        let count = values.len();
        tensors.insert(key, Tensor::from_data(TensorData::new(values, [count]), (device, DType::F32)));
    }
    Ok(tensors)
}
