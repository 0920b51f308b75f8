//! Pictures to tensors and back, the same for making videos and for training.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::Frame;

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
/// `values` `[3, frames, height, width]`, row-major, with `size` = `[frames, height, width]`
///
/// # Panics
/// When there are fewer values than the size says.
pub fn values_to_frames(values: &[f32], size: [usize; 3]) -> Vec<Frame> {
    let [frames, height, width] = size;
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
    (0..frames).map(frame).collect()
}
