//! Writing.

use std::collections::HashMap;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::output;

use super::*;
use crate::motion::flame::EYE_POINTS;
use crate::{ExpressionMode, Motion, Result};

/// How finely the displacements of the mesh are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeshPrecision {
    /// As they are: reading gives back the same numbers.
    #[default]
    F32,
    /// Half the size. A displacement of a centimetre is off by at most 0.0005, which is a hundredth of a pixel of a guide
    /// clip of 480x720; now and then a line is drawn over another pixel.
    F16,
}

/// How a motion is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SaveOptions {
    /// Precision of the mesh.
    pub mesh: MeshPrecision,
    /// Keep the driver's FLAME shape, where the motion has it: it tells who the driver is.
    pub identity: bool,
}

struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Motion {
    /// Writes the motion as it is but for the driver's identity, see [`save_with`](Self::save_with).
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &SaveOptions::default())
    }

    /// Writes the motion, whole or not at all.
    ///
    /// The file is safetensors: `state` u8 `[n]`, and in f32 `rotation` `[n, 4]`, `translation` `[n, 3]`, `expression`
    /// `[n, 478, 3]` (f16 on demand), `blendshapes` `[n, 52]`, `openness` `[n, 3]`, `proportions` `[6]`; metadata
    /// `format`, `version` and `rate`. That is 5985 bytes a frame, 3117 with the mesh in f16. Where there is something
    /// to say: `apertures` `[n, 3]`, `flame.*` `[n, ...]` (268 bytes a frame, 540 with eyes), `flame.shape` `[300]`,
    /// the rest as `rest.*` with `n = 1`, and `mode` in the metadata. A motion without any of that is written as
    /// version 1, so that older readers read it.
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be written; [`Error::Invalid`] for a displacement that f16 cannot hold.
    pub fn save_with(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<()> {
        let path = path.as_ref();
        let mut tensors = Vec::new();
        let count = self.frames.len();
        let states = self.frames.iter().map(|frame| frame.state as u8).collect();
        tensors.push(Tensor { name: "state".into(), dtype: Dtype::U8, shape: vec![count], bytes: states });
        frame_tensors("", &self.frames, options.mesh, &mut tensors)?;
        let sizes = self.proportions.to_array();
        tensors.push(floats("proportions".into(), vec![sizes.len()], sizes));
        let plain = tensors.len();
        extra_tensors("", &self.frames, &mut tensors);
        if let Some(rest) = &self.rest {
            let rest = std::slice::from_ref(&**rest);
            frame_tensors(REST, rest, options.mesh, &mut tensors)?;
            extra_tensors(REST, rest, &mut tensors);
        }
        if let (true, Some(shape)) = (options.identity, &self.shape) {
            tensors.push(floats("flame.shape".into(), vec![shape.len()], shape.iter().copied()));
        }
        let relative = self.mode == ExpressionMode::Relative;
        let is_plain = tensors.len() == plain && relative && options.mesh == MeshPrecision::F32;
        let version = if is_plain { VERSION_PLAIN } else { VERSION };
        let mut metadata = HashMap::from([
            ("format".to_owned(), MAGIC.to_owned()),
            ("version".to_owned(), version.to_string()),
            ("rate".to_owned(), self.rate.to_string()),
        ]);
        if !relative {
            metadata.insert("mode".to_owned(), ABSOLUTE.to_owned());
        }
        let views = tensors.iter().map(|tensor| {
            TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).map(|view| (tensor.name.as_str(), view))
        });
        let failed = |error: safetensors::SafeTensorError| malformed(path, error.to_string());
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(failed)?;
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
        Ok(output::write_file(path, &bytes)?)
    }
}

/// The tensors that every motion has.
fn frame_tensors(prefix: &str, frames: &[MotionFrame], mesh: MeshPrecision, tensors: &mut Vec<Tensor>) -> Result<()> {
    push(tensors, prefix, ROTATION, frames, |frame| frame.rotation.to_vec());
    push(tensors, prefix, TRANSLATION, frames, |frame| frame.translation.to_vec());
    match mesh {
        MeshPrecision::F32 => {
            push(tensors, prefix, EXPRESSION, frames, |frame| frame.expression.as_flattened().to_vec());
        }
        MeshPrecision::F16 => tensors.push(half_mesh(prefix, frames)?),
    }
    push(tensors, prefix, SCORES, frames, |frame| frame.blendshapes.to_vec());
    push(tensors, prefix, OPENNESS, frames, |MotionFrame { openness: o, .. }| vec![o.eyes[0], o.eyes[1], o.mouth]);
    Ok(())
}

/// The tensors of what only some motions have.
fn extra_tensors(prefix: &str, frames: &[MotionFrame], tensors: &mut Vec<Tensor>) {
    if frames.iter().any(|frame| frame.apertures != Apertures::default()) {
        push(tensors, prefix, APERTURES, frames, |MotionFrame { apertures, .. }| {
            let [right, left] = apertures.eyes.unwrap_or([NO_APERTURE; 2]);
            vec![right, left, apertures.mouth.unwrap_or(NO_APERTURE)]
        });
    }
    let flame: Vec<_> = frames.iter().filter_map(|frame| frame.flame.as_ref()).map(|flame| flame.to_array()).collect();
    if flame.is_empty() {
        return;
    }
    let mut start = 0;
    for (name, size) in GROUPS {
        let numbers = flame.iter().flat_map(|numbers| numbers[start..start + size].iter().copied());
        tensors.push(floats(format!("{prefix}flame.{name}"), vec![flame.len(), size], numbers));
        start += size;
    }
    let eyes: Vec<_> = frames.iter().filter_map(|frame| frame.flame.as_ref()?.eyes.as_ref()).collect();
    if !eyes.is_empty() {
        let numbers = eyes.iter().flat_map(|eyes| eyes.as_flattened().as_flattened().iter().copied());
        tensors.push(floats(format!("{prefix}{FLAME_EYES}"), vec![eyes.len(), 2, EYE_POINTS, 2], numbers));
    }
}

fn push(
    tensors: &mut Vec<Tensor>,
    prefix: &str,
    channel: Channel,
    frames: &[MotionFrame],
    values: impl Fn(&MotionFrame) -> Vec<f32>,
) {
    let name = format!("{prefix}{}", channel.name);
    tensors.push(floats(name, channel.shape(frames.len()), frames.iter().flat_map(values)));
}

fn floats(name: String, shape: Vec<usize>, values: impl IntoIterator<Item = f32>) -> Tensor {
    Tensor { name, dtype: Dtype::F32, shape, bytes: values.into_iter().flat_map(f32::to_le_bytes).collect() }
}

fn half_mesh(prefix: &str, frames: &[MotionFrame]) -> Result<Tensor> {
    let values = frames.iter().flat_map(|frame| frame.expression.as_flattened()).map(|v| f16::from_f32(*v));
    let values: Vec<f16> = values.collect();
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        let reason = format!("frame {}: a displacement is too large for f16; use f32", at / EXPRESSION.slots);
        return Err(Error::invalid("motion", reason));
    }
    Ok(Tensor {
        name: format!("{prefix}{}", EXPRESSION.name),
        dtype: Dtype::F16,
        shape: EXPRESSION.shape(frames.len()),
        bytes: values.into_iter().flat_map(f16::to_le_bytes).collect(),
    })
}
