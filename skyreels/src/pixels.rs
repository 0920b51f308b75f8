//! What networks give, read as numbers and as pictures.

use burn::tensor::Tensor;
use skyreels_core::Frame;
use skyreels_core::pixels::values_to_frames;

use crate::{Error, Result};

/// Frames as people see them: `x / 2 + 1 / 2`, clamped, times 255, rounded; in f32.
///
/// # Shapes
/// `[1, 3, frames, height, width] ->` `frames` pictures
///
/// # Errors
/// [`Error::Execution`] when the device failed to compute the tensor, [`Error::NotFinite`] when it holds what is no
/// number.
pub fn tensor_to_frames(video: Tensor<5>) -> Result<Vec<Frame>> {
    let [_, _, frames, height, width] = video.dims();
    let values = finite("decode", video)?;
    Ok(values_to_frames(&values, [frames, height, width]))
}

/// Reads the finite values of a tensor as f32.
pub(crate) fn finite<const D: usize>(stage: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    let values = to_f32(stage, tensor)?;
    match values.iter().filter(|value| !value.is_finite()).count() {
        0 => Ok(values),
        count => Err(Error::NotFinite { stage, count, of: values.len() }),
    }
}

/// Reads a tensor as f32, turning what the device reports late into an error of `stage`.
pub(crate) fn to_f32<const D: usize>(stage: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |reason: String| Error::Execution { stage, reason };
    let data = tensor.try_into_data_as::<f32>().map_err(|error| failed(error.to_string()))?;
    data.try_to_vec().map_err(|error| failed(format!("{error:?}")))
}
