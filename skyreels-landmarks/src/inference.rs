//! Pictures to a device, numbers back.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::Frame;

use crate::{Error, Result};

/// All values of a tensor, row-major.
///
/// # Errors
/// [`Error::Inference`] names the network when the device failed.
pub(crate) fn values<const D: usize>(network: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Inference { network, reason: error.to_string() })
}

/// Pictures as `[batch, 3, height, width]` in 0..1.
pub(crate) fn images(crops: &[Frame], device: &Device) -> Result<Tensor<4>> {
    let Some(first) = crops.first() else { return Err(Error::invalid("face crops", "there is none to encode")) };
    let (width, height) = first.dimensions();
    if let Some(other) = crops.iter().find(|crop| crop.dimensions() != (width, height)) {
        let reason = format!("one of {:?} pixels among others of {width}x{height}", other.dimensions());
        return Err(Error::invalid("face crops", reason));
    }
    let planes = crops.iter().flat_map(|crop| (0..3).map(move |channel| (crop, channel)));
    let values = planes.flat_map(|(crop, channel)| crop.pixels().map(move |pixel| f32::from(pixel[channel]) / 255.0));
    let shape = [crops.len(), 3, height as usize, width as usize];
    Ok(Tensor::from_data(TensorData::new(values.collect(), shape), (device, DType::F32)))
}
