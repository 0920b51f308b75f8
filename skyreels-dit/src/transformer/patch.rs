//! Latents to patches and back.

use burn::tensor::Tensor;

/// Cuts every frame into square patches, frame by frame, row by row.
///
/// A patch holds its channels slowest, then its rows and columns, as the weight of a patch
/// convolution does.
///
/// # Shapes
/// `[batch, frames, channels, height, width] -> [batch, frames * rows * columns, channels * patch * patch]`
pub fn patchify(latents: Tensor<5>, patch: usize) -> Tensor<3> {
    let [batch, frames, channels, height, width] = latents.dims();
    let (rows, columns) = (height / patch, width / patch);
    latents.reshape([batch * frames, channels, rows, patch, columns, patch]).permute([0, 2, 4, 1, 3, 5]).reshape([
        batch,
        frames * rows * columns,
        channels * patch * patch,
    ])
}

/// Puts patches back in their places: the inverse of [`patchify`].
///
/// # Shapes
/// `[batch, frames * rows * columns, channels * patch * patch] -> [batch, frames, channels, height, width]`
/// with `grid` = `[frames, rows, columns]`.
pub fn unpatchify(patches: Tensor<3>, grid: [usize; 3], patch: usize) -> Tensor<5> {
    let [batch, _, size] = patches.dims();
    let [frames, rows, columns] = grid;
    let channels = size / (patch * patch);
    patches.reshape([batch * frames, rows, columns, channels, patch, patch]).permute([0, 3, 1, 4, 2, 5]).reshape([
        batch,
        frames,
        channels,
        rows * patch,
        columns * patch,
    ])
}
