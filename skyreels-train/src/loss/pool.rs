//! Weights of pixels as weights of latents.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Result};

/// Averages weights of pixels over what each latent stands for: a square in space; in time frame 0 for the
/// first latent frame, frames `4 k - 3` to `4 k` for latent frame `k`.
///
/// The paper leaves open how 49 frames of 480x720 weigh 13 latent frames of 60x90.
///
/// # Shapes
/// `weights` `[frames, height, width]`, row-major; `latents` `[latent_frames, h, w]`
/// `-> [1, latent_frames, 1, h, w]`, f32
///
/// # Errors
/// [`Error::Invalid`] when the sides of `size` are no multiples of those of `latents`, or the frames no
/// multiple beside the first one.
pub fn latent_weights(weights: &[f32], size: [usize; 3], latents: [usize; 3], device: &Device) -> Result<Tensor<5>> {
    let [latent_frames, h, w] = latents;
    let pooled = pooled(weights, size, latents)?;
    Ok(Tensor::from_data(TensorData::new(pooled, [1, latent_frames, 1, h, w]), (device, DType::F32)))
}

/// The same on the host, `[latent_frames, h, w]`.
pub(crate) fn pooled(weights: &[f32], size: [usize; 3], latents: [usize; 3]) -> Result<Vec<f32>> {
    let wrong = || Error::Invalid {
        what: "weights",
        reason: format!("{size:?} frames, height and width cannot be averaged to {latents:?} of latents"),
    };
    let [frames, height, width] = size;
    let [latent_frames, h, w] = latents;
    if latents.contains(&0) || height % h != 0 || width % w != 0 || weights.len() != frames * height * width {
        return Err(wrong());
    }
    let per = match (frames, latent_frames) {
        (0, _) => return Err(wrong()),
        (1, 1) => 1,
        (_, 1) => return Err(wrong()),
        _ if (frames - 1) % (latent_frames - 1) == 0 => (frames - 1) / (latent_frames - 1),
        _ => return Err(wrong()),
    };
    let [rows, columns] = [height / h, width / w];
    let mut pooled = vec![0.0; latent_frames * h * w];
    for (frame, pixels) in weights.chunks_exact(height * width).enumerate() {
        let to = frame.div_ceil(per.max(1));
        let covered = if to == 0 { 1 } else { per };
        let share = 1.0 / (covered * rows * columns) as f32;
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            let line = &mut pooled[(to * h + y / rows) * w..][..w];
            for (cell, pixels) in line.iter_mut().zip(row.chunks_exact(columns)) {
                *cell += share * pixels.iter().sum::<f32>();
            }
        }
    }
    Ok(pooled)
}
