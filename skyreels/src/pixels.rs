//! Pictures to tensors and back.

use burn::tensor::{DType, Tensor, TensorData};
use skyreels_core::{Device, Frame};

use crate::{Error, Result};

/// Frames as the VAE takes them: `2 value / 255 - 1`.
///
/// # Shapes
/// `frames` pictures of one size `-> [1, 3, frames, height, width]`, f32
///
/// # Panics
/// When the frames are none or of different sizes.
pub fn frames_to_tensor(frames: &[Frame], device: &Device) -> Tensor<5> {
    let (width, height) = frames[0].dimensions();
    let plane = (width * height) as usize;
    let mut values = vec![0f32; 3 * frames.len() * plane];
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame.dimensions(), (width, height), "frame {number}");
        for (position, pixel) in frame.pixels().enumerate() {
            for channel in 0..3 {
                values[(channel * frames.len() + number) * plane + position] = f32::from(pixel[channel]) / 127.5 - 1.0;
            }
        }
    }
    let shape = [1, 3, frames.len(), height as usize, width as usize];
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

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
    let plane = height * width;
    let frame = |number: usize| {
        Frame::from_fn(width as u32, height as u32, |x, y| {
            let position = y as usize * width + x as usize;
            image::Rgb(std::array::from_fn(|channel| {
                let value = values[(channel * frames + number) * plane + position];
                ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
            }))
        })
    };
    Ok((0..frames).map(frame).collect())
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
