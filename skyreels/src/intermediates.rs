//! Results of stages on disk, so that a failed one never costs a finished one.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::Weights;
use skyreels_core::output::write_file;
use skyreels_core::{Device, Error as CoreError, Limits};

use crate::conditioning::Conditioning;
use crate::pixels::to_f32;
use crate::{Error, Result};

const FORMAT: &str = "file of intermediate results";

/// A directory that keeps the results of the stages.
#[derive(Debug, Clone)]
pub struct Intermediates {
    directory: PathBuf,
}

impl Intermediates {
    /// Uses `directory`, making it if need be.
    ///
    /// # Errors
    /// [`Error::Core`] when it cannot be made.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self> {
        let directory = directory.as_ref().to_path_buf();
        fs::create_dir_all(&directory).map_err(CoreError::io("create", &directory))?;
        Ok(Self { directory })
    }

    /// A file of this directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Keeps `conditioning.safetensors`: `control`, `image` and `identity`, f32.
    ///
    /// # Errors
    /// [`Error::Core`] when it cannot be written.
    pub fn keep_conditioning(&self, conditioning: &Conditioning) -> Result<()> {
        let tensors = [
            ("control", host(conditioning.control.clone())?),
            ("image", host(conditioning.image.clone())?),
            ("identity", host(conditioning.identity.clone())?),
        ];
        write(&self.path("conditioning.safetensors"), &tensors)
    }

    /// Keeps `latents.safetensors`: `latents` `[1, latent_frames, 16, height, width]`, f32.
    ///
    /// # Errors
    /// [`Error::Core`] when it cannot be written.
    pub fn keep_latents(&self, latents: &Tensor<5>) -> Result<()> {
        write(&self.path("latents.safetensors"), &[("latents", host(latents.clone())?)])
    }
}

/// Reads the latents that [`Intermediates::keep_latents`] wrote.
///
/// # Errors
/// [`Error::Core`] when the file is missing or damaged, or holds something else.
pub fn read_latents(path: impl AsRef<Path>, device: &Device) -> Result<Tensor<5>> {
    let path = path.as_ref();
    let malformed = |reason: &str| Error::from(CoreError::malformed(path, FORMAT, reason));
    let weights = Weights::open(path, &Limits::default())?;
    let (shape, dtype, bytes) = weights.raw("latents").ok_or_else(|| malformed("it holds no `latents`"))?;
    if dtype != Dtype::F32 || shape.len() != 5 || shape[0] != 1 || shape.contains(&0) {
        return Err(malformed("`latents` must be f32 [1, latent_frames, channels, height, width]"));
    }
    let values: Vec<f32> = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(malformed("`latents` holds a NaN or an infinity"));
    }
    Ok(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
}

/// Shape and little-endian bytes of a tensor.
type HostTensor = (Vec<usize>, Vec<u8>);

fn host<const D: usize>(tensor: Tensor<D>) -> Result<HostTensor> {
    let shape = tensor.dims().to_vec();
    Ok((shape, to_f32("keep intermediates", tensor)?.iter().flat_map(|value| value.to_le_bytes()).collect()))
}

fn write(path: &Path, tensors: &[(&str, HostTensor)]) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| CoreError::malformed(path, FORMAT, error.to_string());
    let views: Vec<(&str, TensorView)> = tensors
        .iter()
        .map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(failed)?)))
        .collect::<Result<_>>()?;
    Ok(write_file(path, &safetensors::serialize(views, None).map_err(failed)?)?)
}
