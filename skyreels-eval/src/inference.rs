//! Pictures to tensors, and numbers that come back from a device.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::Frame;

use crate::{Error, Result};

/// Pictures that go through a network at once.
pub(crate) const BATCH: usize = 16;
/// Largest value of a channel.
const WHITE: f32 = 255.0;

/// Pictures of one size as `[batch, 3, height, width]`, red, green, blue in 0..1.
///
/// # Errors
/// [`Error::Empty`] without a picture or without pixels, [`Error::Mismatch`] for pictures of several sizes.
pub(crate) fn unit_range(pictures: &[Frame], device: &Device) -> Result<Tensor<4>> {
    let none = || Error::empty("pictures", "give at least one with pixels");
    let (width, height) = pictures.first().ok_or_else(none)?.dimensions();
    if width == 0 || height == 0 {
        return Err(none());
    }
    let mut values = Vec::with_capacity(pictures.len() * width as usize * height as usize * 3);
    for picture in pictures {
        if picture.dimensions() != (width, height) {
            let size = |(width, height)| format!("{width}x{height} pixels");
            return Err(Error::mismatch("pictures of a batch", size((width, height)), size(picture.dimensions())));
        }
        values.extend((0..3).flat_map(|c| picture.pixels().map(move |pixel| f32::from(pixel[c]) / WHITE)));
    }
    let shape = [pictures.len(), 3, height as usize, width as usize];
    Ok(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
}

/// The rows of a table on the device.
///
/// # Errors
/// [`Error::Inference`] when the device failed, [`Error::NotFinite`] when what it says is no number.
pub(crate) fn rows(network: &'static str, table: Tensor<2>) -> Result<Vec<Vec<f32>>> {
    let width = table.dims()[1];
    let values =
        table.try_into_vec_as::<f32>().map_err(|error| Error::Inference { network, reason: error.to_string() })?;
    let rows: Vec<Vec<f32>> = values.chunks(width.max(1)).map(<[f32]>::to_vec).collect();
    match rows.iter().position(|row| row.iter().any(|value| !value.is_finite())) {
        Some(index) => Err(Error::not_finite(network, format!("a feature of picture {index} of its batch"))),
        None => Ok(rows),
    }
}
