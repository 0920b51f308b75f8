//! Clips in safetensors files.

use std::path::Path;

use burn::tensor::TensorData;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::Weights;
use skyreels_core::output::OutputFile;
use skyreels_core::{Error as CoreError, Frame, Limits};

use super::clip::PreparedClip;
use crate::Result;
use crate::data::Latents;

const FORMAT: &str = "shard of a dataset";

/// Name, type, shape and little-endian bytes of a tensor.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// Writes clips, numbered from 0, as a shard: all of it or nothing.
pub(super) fn write(path: &Path, clips: &[PreparedClip]) -> Result<()> {
    let tensors: Vec<Stored> = clips.iter().enumerate().flat_map(|(number, clip)| stored(number, clip)).collect();
    let malformed = |error: safetensors::SafeTensorError| CoreError::malformed(path, FORMAT, error.to_string());
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(malformed)?))
        })
        .collect::<Result<Vec<_>, CoreError>>()?;
    let file = OutputFile::create(path)?;
    safetensors::serialize_to_file(views, None, file.temporary_path()).map_err(malformed)?;
    Ok(file.commit()?)
}

fn stored(number: usize, clip: &PreparedClip) -> Vec<Stored> {
    let pictures = |name: &str, frames: &[Frame]| {
        let (width, height) = frames.first().map_or((0, 0), Frame::dimensions);
        let shape = vec![frames.len(), height as usize, width as usize, 3];
        (key(number, name), Dtype::U8, shape, frames.iter().flat_map(|frame| frame.as_raw().iter().copied()).collect())
    };
    let floats = |name: &str, shape: Vec<usize>, values: &mut dyn Iterator<Item = f32>| {
        (key(number, name), Dtype::F32, shape, values.flat_map(f32::to_le_bytes).collect())
    };
    let data = |name: &str, data: &TensorData| floats(name, data.shape().to_vec(), &mut data.iter::<f32>());
    let mut tensors = vec![
        pictures("frames", &clip.frames),
        pictures("guide", &clip.guide),
        pictures("identity", std::slice::from_ref(&clip.identity)),
        floats("weights", clip.weights_size().to_vec(), &mut clip.weights.iter().copied()),
    ];
    if let Some(Latents { mean, logvar }) = &clip.latents {
        tensors.extend([data("latents.mean", mean), data("latents.logvar", logvar)]);
    }
    tensors.extend(clip.tokens.as_ref().map(|tokens| data("tokens", tokens)));
    tensors
}

fn key(number: usize, name: &str) -> String {
    format!("{number:04}.{name}")
}

/// Reads the clip of this number; the rest of the shard is not touched.
pub(super) fn read(path: &Path, number: usize, limits: &Limits) -> Result<PreparedClip> {
    let shard = Shard { weights: Weights::open(path, limits)?, path, number, limits };
    let frames = shard.pictures("frames")?;
    let guide = shard.pictures("guide")?;
    let mut identity = shard.pictures("identity")?;
    let identity = identity.pop().ok_or_else(|| shard.malformed("identity", "it has no picture"))?;
    let weights = shard.floats("weights")?.ok_or_else(|| shard.malformed("weights", "it is missing"))?;
    let values = weights.iter::<f32>().collect();
    let latents = match (shard.floats("latents.mean")?, shard.floats("latents.logvar")?) {
        (Some(mean), Some(logvar)) => Some(Latents { mean, logvar }),
        _ => None,
    };
    let clip = PreparedClip { frames, guide, identity, weights: values, latents, tokens: shard.floats("tokens")? };
    let like = |frames: &[Frame]| (frames.len(), frames.first().map(Frame::dimensions));
    if like(&clip.guide) != like(&clip.frames) || weights.shape().as_slice() != clip.weights_size() {
        return Err(shard.malformed("guide", "guide and weights have other sizes than the frames").into());
    }
    Ok(clip)
}

struct Shard<'a> {
    weights: Weights,
    path: &'a Path,
    number: usize,
    limits: &'a Limits,
}

impl Shard<'_> {
    fn malformed(&self, name: &str, reason: &str) -> CoreError {
        CoreError::malformed(self.path, FORMAT, format!("tensor `{}`: {reason}", key(self.number, name)))
    }

    fn pictures(&self, name: &str) -> Result<Vec<Frame>, CoreError> {
        let wrong = |reason| self.malformed(name, reason);
        let (shape, dtype, bytes) = self.weights.raw(&key(self.number, name)).ok_or_else(|| wrong("it is missing"))?;
        let &[_, height, width, 3] = shape else { return Err(wrong("it is not [frames, height, width, 3]")) };
        let fits = |side: usize| u32::try_from(side).ok().filter(|side| (1..=self.limits.max_side).contains(side));
        let (Some(columns), Some(rows)) = (fits(width), fits(height)) else {
            return Err(wrong("its pictures have no pixels, or too many"));
        };
        if dtype != Dtype::U8 {
            return Err(wrong("its pixels are no bytes"));
        }
        let picture =
            |bytes: &[u8]| Frame::from_raw(columns, rows, bytes.to_vec()).ok_or_else(|| wrong("a picture is cut off"));
        bytes.chunks(3 * height * width).map(picture).collect()
    }

    fn floats(&self, name: &str) -> Result<Option<TensorData>, CoreError> {
        let Some((shape, dtype, bytes)) = self.weights.raw(&key(self.number, name)) else { return Ok(None) };
        if dtype != Dtype::F32 {
            return Err(self.malformed(name, "it is not f32"));
        }
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.malformed(name, "it holds NaN or infinity"));
        }
        Ok(Some(TensorData::new(values, shape.to_vec())))
    }
}
