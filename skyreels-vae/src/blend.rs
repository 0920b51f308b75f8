//! Fading one tile into the next.

use burn::tensor::{Tensor, TensorData};

/// Fades the beginning of `tile` along axis `dim` from the end of `before`: element `y` of the
/// first `extent` is `before * (1 - y / extent) + tile * (y / extent)`.
///
/// The result takes the tile's place, also for tiles that blend with it later: the order in which
/// tiles blend is part of the function.
///
/// # Shapes
/// `[batch, channels, frames, height, width]`; both tiles agree but along `dim`.
pub(crate) fn blend(before: &Tensor<5>, tile: Tensor<5>, extent: usize, dim: usize) -> Tensor<5> {
    let (length, before_length) = (tile.dims()[dim], before.dims()[dim]);
    let extent = extent.min(length).min(before_length);
    if extent == 0 {
        return tile;
    }
    let mut shape = [1; 5];
    shape[dim] = extent;
    let [out, into] = weights(extent)
        .map(|weights| Tensor::from_data(TensorData::new(weights, shape), (&tile.device(), tile.dtype())));
    let end = before.clone().narrow(dim, before_length - extent, extent);
    let faded = end * out + tile.clone().narrow(dim, 0, extent) * into;
    if extent == length {
        return faded;
    }
    Tensor::cat(vec![faded, tile.narrow(dim, extent, length - extent)], dim)
}

/// Weights of the tile before and of the tile itself.
fn weights(extent: usize) -> [Vec<f32>; 2] {
    let share = |y: usize| y as f64 / extent as f64;
    [(0..extent).map(|y| (1.0 - share(y)) as f32).collect(), (0..extent).map(|y| share(y) as f32).collect()]
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn weights_sum_to_one_and_start_with_the_tile_before(extent in 1usize..200) {
            let [out, into] = weights(extent);
            prop_assert_eq!((out[0], into[0]), (1.0, 0.0));
            for (a, b) in out.iter().zip(&into) {
                prop_assert!((a + b - 1.0).abs() <= f32::EPSILON);
            }
        }

        #[test]
        fn equal_tiles_blend_to_themselves(extent in 0usize..6, dim in 3usize..5) {
            let device = Device::flex();
            let tile = Tensor::<5>::full([1, 2, 1, 4, 4], 0.75, &device);
            let data = blend(&tile, tile.clone(), extent, dim).into_data();
            data.assert_approx_eq::<f32>(&tile.into_data(), burn::tensor::Tolerance::absolute(1e-6));
        }
    }
}
