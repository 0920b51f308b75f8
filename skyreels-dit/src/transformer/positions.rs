//! Sine-cosine positions: the initial value of the learned ones, their fall-back, and what models
//! without rotary positions have instead.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Result};

/// Base of the geometric frequencies.
const THETA: f64 = 10_000.0;

/// Positions of a grid of patches (`get_3d_sincos_pos_embed` of diffusers).
///
/// The first quarter of the width codes the frame, the next three eighths the column, the last
/// three eighths the row; each code is `[sin | cos]` of the coordinate times
/// `10000^(-k / (d / 2))`, computed in f64. Coordinates are divided by
/// `scales = [spatial, temporal]`.
///
/// # Shapes
/// `grid` is `[frames, rows, columns]`, `width` a multiple of 16;
/// `-> [frames * rows * columns, width]`, f32
///
/// # Errors
/// [`Error::Shape`] when the grid is empty or `width` is not a multiple of 16.
pub fn sincos_positions(width: usize, grid: [usize; 3], scales: [f64; 2], device: &Device) -> Result<Tensor<2>> {
    if width == 0 || !width.is_multiple_of(16) || grid.contains(&0) {
        return Err(Error::Shape {
            what: "sine-cosine positions (width, frames, rows, columns)",
            found: [&[width], &grid[..]].concat(),
            expected: "a width that is a multiple of 16 and a grid that is not empty".into(),
        });
    }
    let [frames, rows, columns] = grid;
    let [spatial_scale, temporal_scale] = scales;
    let temporal = width / 4;
    let spatial = (width - temporal) / 2;
    let spread = |codes: Tensor<2>, shape: [usize; 3]| -> Tensor<4> {
        let [_, d] = codes.dims();
        codes.reshape([shape[0], shape[1], shape[2], d]).expand([frames, rows, columns, d])
    };
    let frame = spread(codes(temporal, frames, temporal_scale, device), [frames, 1, 1]);
    let column = spread(codes(spatial, columns, spatial_scale, device), [1, 1, columns]);
    let row = spread(codes(spatial, rows, spatial_scale, device), [1, rows, 1]);
    Ok(Tensor::cat(vec![frame, column, row], 3).reshape([frames * rows * columns, width]))
}

/// Codes of the coordinates `0 / scale, 1 / scale, ..`, `[count, width]`.
fn codes(width: usize, count: usize, scale: f64, device: &Device) -> Tensor<2> {
    let half = width / 2;
    let mut values = Vec::with_capacity(count * width);
    for at in 0..count {
        let angles = || (0..half).map(|k| at as f64 / scale * THETA.powf(-(k as f64) / half as f64));
        values.extend(angles().map(|angle| angle.sin() as f32));
        values.extend(angles().map(|angle| angle.cos() as f32));
    }
    Tensor::from_data(TensorData::new(values, [count, width]), (device, DType::F32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_cannot_be_made_are_errors() {
        for (width, grid) in [(0, [1, 1, 1]), (24, [1, 1, 1]), (33, [1, 2, 2]), (16, [0, 1, 1]), (16, [1, 1, 0])] {
            assert!(sincos_positions(width, grid, [1.0, 1.0], &Device::flex()).is_err());
        }
        let good = sincos_positions(32, [2, 3, 4], [1.0, 1.0], &Device::flex()).unwrap();
        assert_eq!(good.dims(), [24, 32]);
    }
}
