//! Motion files: safetensors with a version, checked on the way in, whole or not at all on the way out.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use skyreels_core::{Limits, output};

use super::{Motion, MotionFrame, Openness, Proportions, State};
use crate::{BLENDSHAPES, Error, LANDMARKS, Result};

const FORMAT: &str = "motion file";
/// Value of the metadata field `format`.
const MAGIC: &str = "skyreels-motion";
/// Newest version of the format; a reader knows all before it.
const VERSION: u32 = 1;
/// Bytes of the length in front of a safetensors header.
const LENGTH_BYTES: usize = 8;

impl Motion {
    /// Writes the motion, whole or not at all.
    ///
    /// The file is safetensors: `state` u8 `[n]`, and in f32 `rotation` `[n, 4]`, `translation` `[n, 3]`, `expression` `[n, 478, 3]`,
    /// `blendshapes` `[n, 52]`, `openness` `[n, 3]`, `proportions` `[6]`; metadata `format`, `version` and `rate`.
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let count = self.frames.len();
        let floats = |size: usize, values: &dyn Fn(&MotionFrame) -> Vec<f32>| {
            let bytes: Vec<u8> = self.frames.iter().flat_map(values).flat_map(f32::to_le_bytes).collect();
            (if size == LANDMARKS * 3 { vec![count, LANDMARKS, 3] } else { vec![count, size] }, Dtype::F32, bytes)
        };
        let states = self.frames.iter().map(|frame| frame.state as u8).collect();
        let proportions = self.proportions.to_array();
        let tensors = [
            ("state", (vec![count], Dtype::U8, states)),
            ("rotation", floats(4, &|frame| frame.rotation.to_vec())),
            ("translation", floats(3, &|frame| frame.translation.to_vec())),
            ("expression", floats(LANDMARKS * 3, &|frame| frame.expression.as_flattened().to_vec())),
            ("blendshapes", floats(BLENDSHAPES, &|frame| frame.blendshapes.to_vec())),
            ("openness", floats(3, &|MotionFrame { openness: o, .. }| vec![o.eyes[0], o.eyes[1], o.mouth])),
            ("proportions", (vec![6], Dtype::F32, proportions.iter().flat_map(|v| v.to_le_bytes()).collect())),
        ];
        let failed = |error: safetensors::SafeTensorError| {
            Error::from(skyreels_core::Error::malformed(path, FORMAT, error.to_string()))
        };
        let views = tensors.iter().map(|(name, (shape, dtype, bytes))| {
            TensorView::new(*dtype, shape.clone(), bytes).map(|view| (*name, view))
        });
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(failed)?;
        let metadata =
            [("format", MAGIC.to_owned()), ("version", VERSION.to_string()), ("rate", self.rate.to_string())];
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
        Ok(output::write_file(path, &bytes)?)
    }

    /// Reads a motion.
    ///
    /// # Errors
    /// [`Error::Core`] when the file cannot be read, is larger than the limits, or is no motion file; it
    /// says what is wrong in which frame. [`Error::MotionVersion`] for a file of the future.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let bytes = read_limited(path, limits)?;
        let wrong = |reason: String| Error::from(skyreels_core::Error::malformed(path, FORMAT, reason));
        check_header(path, &bytes, limits)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let rate = check_metadata(path, header.metadata().as_ref())?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let states = tensors.tensor("state").map_err(|error| wrong(error.to_string()))?;
        let count = states.shape().first().copied().unwrap_or(0);
        if states.dtype() != Dtype::U8 || states.shape() != [count] {
            return Err(wrong("`state` must be u8 of one axis".into()));
        }
        if count as u64 > limits.max_frames {
            return Err(limit(path, "number of frames", count as u64, limits.max_frames));
        }
        let floats = |name: &str, shape: &[usize]| {
            let view = tensors.tensor(name).map_err(|error| wrong(error.to_string()))?;
            if view.dtype() != Dtype::F32 || view.shape() != shape {
                return Err(wrong(format!(
                    "`{name}` is {:?} {:?} instead of F32 {shape:?}",
                    view.dtype(),
                    view.shape()
                )));
            }
            Ok(view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect::<Vec<f32>>())
        };
        let rotation = floats("rotation", &[count, 4])?;
        let translation = floats("translation", &[count, 3])?;
        let expression = floats("expression", &[count, LANDMARKS, 3])?;
        let blendshapes = floats("blendshapes", &[count, BLENDSHAPES])?;
        let openness = floats("openness", &[count, 3])?;
        let proportions = floats("proportions", &[6])?;
        let frame = |i: usize| {
            let [right, left, mouth] = rows::<3>(&openness)[i];
            Ok(MotionFrame {
                state: match states.data()[i] {
                    0 => State::Seen,
                    1 => State::Held,
                    2 => State::Interpolated,
                    other => return Err(wrong(format!("frame {i}: state {other} is unknown"))),
                },
                rotation: rows::<4>(&rotation)[i],
                translation: rows::<3>(&translation)[i],
                expression: rows::<3>(&expression)[i * LANDMARKS..][..LANDMARKS].to_vec(),
                blendshapes: rows::<BLENDSHAPES>(&blendshapes)[i],
                openness: Openness { eyes: [right, left], mouth },
            })
        };
        let frames = (0..count).map(frame).collect::<Result<_>>()?;
        let proportions = Proportions::from_array(rows::<6>(&proportions)[0]);
        Motion::new(rate, proportions, frames).map_err(|error| wrong(error.to_string()))
    }
}

fn rows<const N: usize>(values: &[f32]) -> &[[f32; N]] {
    values.as_chunks::<N>().0
}

fn limit(path: &Path, what: &'static str, value: u64, limit: u64) -> Error {
    let help = "cut the motion into shorter ones, or raise the limit".into();
    skyreels_core::Error::Limit { path: path.to_path_buf(), what, value, limit, help }.into()
}

fn read_limited(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    let length = fs::metadata(path).map_err(skyreels_core::Error::io("read", path))?.len();
    if length > limits.max_file_bytes {
        return Err(limit(path, "size in bytes", length, limits.max_file_bytes));
    }
    Ok(fs::read(path).map_err(skyreels_core::Error::io("read", path))?)
}

/// Looks at the length of the header before anything is made of it.
fn check_header(path: &Path, bytes: &[u8], limits: &Limits) -> Result<()> {
    let wrong = |reason: &str| Err(skyreels_core::Error::malformed(path, FORMAT, reason).into());
    let Some(length) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return wrong("it is shorter than the length of its header");
    };
    match u64::from_le_bytes(*length) {
        length if length > limits.max_header_bytes => {
            Err(limit(path, "header size in bytes", length, limits.max_header_bytes))
        }
        length if length > (bytes.len() - LENGTH_BYTES) as u64 => wrong("its header is longer than the file"),
        _ => Ok(()),
    }
}

/// Checks format and version; returns the frame rate.
fn check_metadata(path: &Path, metadata: Option<&HashMap<String, String>>) -> Result<f64> {
    let wrong = |reason: String| Error::from(skyreels_core::Error::malformed(path, FORMAT, reason));
    let field = |name: &str| metadata.and_then(|metadata| metadata.get(name)).map(String::as_str);
    if field("format") != Some(MAGIC) {
        return Err(wrong(format!("its metadata lacks `format = {MAGIC}`")));
    }
    let version = field("version").and_then(|version| version.parse().ok());
    match version {
        None | Some(0) => return Err(wrong("its version is missing or no number".into())),
        Some(version) if version > VERSION => {
            return Err(Error::MotionVersion { path: path.to_path_buf(), version, newest: VERSION });
        }
        Some(_) => {}
    }
    field("rate")
        .and_then(|rate| rate.parse().ok())
        .ok_or_else(|| wrong("its frame rate is missing or no number".into()))
}
