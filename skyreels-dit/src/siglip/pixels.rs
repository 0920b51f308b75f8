//! A picture as the tower takes it.

use burn::tensor::{DType, Device, Tensor, TensorData};
use skyreels_core::Frame;

use super::config::SiglipConfig;
use crate::{Error, Result};

impl SiglipConfig {
    /// Scales a picture's bytes to `-1 ..= 1`: `(value / 255 - 0.5) / 0.5`.
    ///
    /// The picture must have the tower's size already: the original resizes with Pillow's bicubic
    /// filter before this.
    ///
    /// # Shapes
    /// `image_size` squared `-> [1, 3, image_size, image_size]`, f32
    ///
    /// # Errors
    /// [`Error::Shape`] for a picture of another size.
    pub fn pixel_values(&self, picture: &Frame, device: &Device) -> Result<Tensor<4>> {
        let (width, height) = picture.dimensions();
        let side = self.image_size as u32;
        if (width, height) != (side, side) || self.num_channels != 3 {
            return Err(Error::Shape {
                what: "picture (height, width, channels)",
                found: vec![height as usize, width as usize, 3],
                expected: format!("[{side}, {side}, {}]; resize it first", self.num_channels),
            });
        }
        let plane = |channel: usize| picture.pixels().map(move |pixel| (f32::from(pixel[channel]) / 255.0 - 0.5) / 0.5);
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        Ok(Tensor::from_data(TensorData::new(values, [1, 3, self.image_size, self.image_size]), (device, DType::F32)))
    }
}
