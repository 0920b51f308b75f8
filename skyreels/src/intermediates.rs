//! Results of stages on disk, so that a failed one never costs a finished one.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Tensor, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::Weights;
use skyreels_core::media::{VideoOptions, write_clip};
use skyreels_core::output::write_file;
use skyreels_core::{Device, Error as CoreError, Frame, Limits, Progress};
use skyreels_landmarks::Motion;

use crate::animate::RATE;
use crate::conditioning::Conditioning;
use crate::pixels::to_f32;
use crate::{Error, Result};

const FORMAT: &str = "file of intermediate results";
/// Channels of a picture.
const COLORS: usize = 3;

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

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Keeps `motion.safetensors`, which drives any portrait.
    ///
    /// # Errors
    /// [`Error::Landmarks`] when it cannot be written.
    pub fn keep_motion(&self, motion: &Motion) -> Result<()> {
        Ok(motion.save(self.path("motion.safetensors"))?)
    }

    /// Keeps the guide clip: `guide.safetensors`, `guide` u8 `[frames, height, width, 3]`, to go on from, and
    /// `guide.mp4` to look at.
    ///
    /// # Errors
    /// [`Error::Core`] when a file cannot be written.
    pub fn keep_guide(&self, guide: &[Frame], progress: Progress) -> Result<()> {
        let (width, height) = guide.first().map_or((0, 0), Frame::dimensions);
        let shape = vec![guide.len(), height as usize, width as usize, COLORS];
        let bytes = guide.iter().flat_map(|frame| frame.as_raw()).copied().collect();
        let stored = Stored { name: "guide", dtype: Dtype::U8, shape, bytes };
        write(&self.path("guide.safetensors"), &[stored])?;
        let frames = guide.iter().cloned().map(Ok);
        write_clip(self.path("guide.mp4"), frames, RATE, None, &VideoOptions::default(), progress)?;
        Ok(())
    }

    /// Keeps `conditioning.safetensors`: `control`, `image` and `identity`, f32.
    ///
    /// # Errors
    /// [`Error::Core`] when it cannot be written.
    pub fn keep_conditioning(&self, conditioning: &Conditioning) -> Result<()> {
        let tensors = [
            Stored::floats("control", conditioning.control.clone())?,
            Stored::floats("image", conditioning.image.clone())?,
            Stored::floats("identity", conditioning.identity.clone())?,
        ];
        write(&self.path("conditioning.safetensors"), &tensors)
    }

    /// Keeps `latents.safetensors`: `latents` `[1, latent_frames, 16, height, width]`, f32, and `shown`, the first
    /// and the number of the decoded frames that belong to the clip.
    ///
    /// # Errors
    /// [`Error::Core`] when it cannot be written.
    pub fn keep_latents(&self, latents: &Tensor<5>, shown: Range<usize>) -> Result<()> {
        let bounds = [shown.start as i64, shown.len() as i64];
        let bytes = bounds.iter().flat_map(|bound| bound.to_le_bytes()).collect();
        let shown = Stored { name: "shown", dtype: Dtype::I64, shape: vec![bounds.len()], bytes };
        write(&self.path("latents.safetensors"), &[Stored::floats("latents", latents.clone())?, shown])
    }
}

/// Finished latents.
#[derive(Debug, Clone)]
pub struct KeptLatents {
    /// `[1, latent_frames, 16, height, width]`, f32.
    pub latents: Tensor<5>,
    /// Which of the decoded frames belong to the clip; `None` when the file does not say.
    pub shown: Option<Range<usize>>,
}

/// Reads what [`Intermediates::keep_latents`] wrote.
///
/// # Errors
/// [`Error::Core`] when the file is missing or damaged, or holds something else.
pub fn read_latents(path: impl AsRef<Path>, device: &Device) -> Result<KeptLatents> {
    let file = Kept::open(path.as_ref())?;
    let latents = file.floats("latents", device)?;
    let shown = match file.weights.raw("shown") {
        None => None,
        Some((&[2], Dtype::I64, bytes)) => {
            let bounds = bytes.as_chunks().0.iter().map(|bound| usize::try_from(i64::from_le_bytes(*bound)).ok());
            let bounds: Option<Vec<usize>> = bounds.collect();
            let range = bounds.and_then(|bounds| Some(bounds[0]..bounds[0].checked_add(bounds[1])?));
            Some(range.ok_or_else(|| file.malformed("`shown` is no range of frames"))?)
        }
        Some(_) => return Err(file.malformed("`shown` must be two i64")),
    };
    Ok(KeptLatents { latents, shown })
}

/// Reads what [`Intermediates::keep_conditioning`] wrote.
///
/// # Errors
/// [`Error::Core`] when the file is missing or damaged, or holds something else.
pub fn read_conditioning(path: impl AsRef<Path>, device: &Device) -> Result<Conditioning> {
    let file = Kept::open(path.as_ref())?;
    let [control, image] = [file.floats("control", device)?, file.floats("image", device)?];
    if control.dims() != image.dims() {
        return Err(file.malformed("`control` and `image` must have one shape"));
    }
    Ok(Conditioning { control, image, identity: file.floats("identity", device)? })
}

/// Reads the guide clip that [`Intermediates::keep_guide`] wrote.
///
/// # Errors
/// [`Error::Core`] when the file is missing or damaged, or holds something else.
pub fn read_guide(path: impl AsRef<Path>) -> Result<Vec<Frame>> {
    let file = Kept::open(path.as_ref())?;
    let wrong = || file.malformed("`guide` must be u8 [frames, height, width, 3]");
    let Some((&[_, height, width, COLORS], Dtype::U8, bytes)) = file.weights.raw("guide") else { return Err(wrong()) };
    let size = [width, height].map(|side| u32::try_from(side).ok().filter(|side| *side > 0));
    let [Some(wide), Some(high)] = size else { return Err(wrong()) };
    let frames = bytes.chunks_exact(width * height * COLORS);
    frames.map(|frame| Frame::from_raw(wide, high, frame.to_vec()).ok_or_else(wrong)).collect()
}

/// An opened file of intermediate results.
struct Kept<'a> {
    path: &'a Path,
    weights: Weights,
}

impl<'a> Kept<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        Ok(Self { path, weights: Weights::open(path, &Limits::default())? })
    }

    fn malformed(&self, reason: impl Into<String>) -> Error {
        CoreError::malformed(self.path, FORMAT, reason.into()).into()
    }

    /// A tensor with one entry in its batch.
    fn floats<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        let (shape, dtype, bytes) =
            self.weights.raw(name).ok_or_else(|| self.malformed(format!("it holds no `{name}`")))?;
        if dtype != Dtype::F32 || shape.len() != D || shape[0] != 1 || shape.contains(&0) {
            return Err(self.malformed(format!("`{name}` must be f32 with {D} axes and one entry on the first")));
        }
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.malformed(format!("`{name}` holds a NaN or an infinity")));
        }
        Ok(Tensor::from_data(TensorData::new(values, shape), (device, DType::F32)))
    }
}

/// A tensor on its way to disk.
struct Stored {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn floats<const D: usize>(name: &'static str, tensor: Tensor<D>) -> Result<Self> {
        let shape = tensor.dims().to_vec();
        let bytes = to_f32("keep intermediates", tensor)?.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(Self { name, dtype: Dtype::F32, shape, bytes })
    }
}

fn write(path: &Path, tensors: &[Stored]) -> Result<()> {
    let failed = |error: safetensors::SafeTensorError| CoreError::malformed(path, FORMAT, error.to_string());
    let mut views = Vec::with_capacity(tensors.len());
    for Stored { name, dtype, shape, bytes } in tensors {
        views.push((*name, TensorView::new(*dtype, shape.clone(), bytes).map_err(failed)?));
    }
    Ok(write_file(path, &safetensors::serialize(views, None).map_err(failed)?)?)
}
