//! Bilinear resampling without anti-aliasing, as PyTorch's `interpolate`: two products with a table of weights.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// Pictures brought to a square of `side` pixels; the middles of corner pixels are not corners (`align_corners=False`).
///
/// # Shapes
/// `[batch, channels, height, width] -> [batch, channels, side, side]`
pub(crate) fn resampled(x: Tensor<4>, side: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if [height, width] == [side, side] {
        return x;
    }
    let device = x.device();
    let across: Tensor<4> = weights(width, side, &device).transpose().unsqueeze();
    let down: Tensor<4> = weights(height, side, &device).unsqueeze();
    let across = across.expand([batch, channels, width, side]);
    let down = down.expand([batch, channels, side, height]);
    down.matmul(x.matmul(across))
}

/// Two neighbours for each of `to` places along a line of `from`, `[to, from]`.
fn weights(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut table = vec![0.0f32; to * from];
    let scale = from as f64 / to as f64;
    for place in 0..to {
        let source = ((place as f64 + 0.5) * scale - 0.5).max(0.0);
        let first = (source as usize).min(from - 1);
        let share = source - first as f64;
        table[place * from + first] += (1.0 - share) as f32;
        table[place * from + (first + 1).min(from - 1)] += share as f32;
    }
    Tensor::from_data(TensorData::new(table, [to, from]), (device, DType::F32))
}
