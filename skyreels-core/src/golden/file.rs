//! A golden file: `NAME.safetensors` with weights, inputs and answers, `NAME.json` about them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};
use safetensors::Dtype;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::recipe::Recipe;
use super::report::Expected;
use crate::checkpoint::{Published, Weights, read_config};
use crate::{Error, Frame, Limits, Precision, Progress, Result};

const FORMAT: &str = "golden file";
/// Suffixes of an answer, most precise first: computed in f64; the same rounded to f32; computed
/// in f32 by the original; exact integers and tables.
const SUFFIXES: [&str; 4] = [".f64", ".f64r", ".f32", ""];

/// An opened golden file.
#[derive(Debug, Clone)]
pub struct Golden {
    path: PathBuf,
    header: Header,
    tensors: Weights,
    /// The file whose weights and inputs this one shares.
    lender: Option<Box<Golden>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Header {
    kind: String,
    name: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    stats: BTreeMap<String, Stats>,
    #[serde(default)]
    shares_weights_and_inputs_of: Option<String>,
    weights_recipe: Option<Recipe>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Stats {
    #[serde(default)]
    f32_rel_l2_err: Option<f64>,
}

/// Values of a tensor on the host, whatever its type in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Sizes, slowest axis first.
    pub shape: Vec<usize>,
    /// Row-major elements.
    pub data: Vec<f64>,
}

impl Golden {
    /// Opens `NAME.json` and the `NAME.safetensors` beside it; `path` names either.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Config`] and [`Error::Malformed`] for files that are missing,
    /// incomplete or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_at(&path.as_ref().with_extension("json"), true)
    }

    fn open_at(path: &Path, follow: bool) -> Result<Self> {
        let header: Header = read_config(path)?;
        let tensors = Weights::open(path.with_extension("safetensors"), &Limits::default())?;
        let lender = match &header.shares_weights_and_inputs_of {
            Some(name) if follow => Some(Box::new(Self::open_at(&path.with_file_name(format!("{name}.json")), false)?)),
            Some(name) => {
                let reason = format!("{name} is borrowed by a borrowed file; only one step is followed");
                return Err(Error::malformed(path, FORMAT, reason));
            }
            None => None,
        };
        Ok(Self { path: path.to_path_buf(), header, tensors, lender })
    }

    /// What to run: `dit`, `vae`, ...
    pub fn kind(&self) -> &str {
        &self.header.kind
    }

    /// Name of the file as it calls itself.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// What the file proves.
    pub fn note(&self) -> &str {
        &self.header.note
    }

    /// The JSON file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The configuration, or the part of it at `pointer` (`""`, `"/dit"`, ...).
    ///
    /// # Errors
    /// [`Error::Config`] when it is absent or not of this type.
    pub fn config<C: DeserializeOwned>(&self, pointer: &str) -> Result<C> {
        let wrong =
            |reason: String| Error::Config { path: self.path.clone(), reason: format!("config{pointer}: {reason}") };
        let part = self.header.config.pointer(pointer).ok_or_else(|| wrong("absent".into()))?;
        C::deserialize(part).map_err(|error| wrong(error.to_string()))
    }

    /// A field of the JSON beside the common ones.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.header.rest.get(name)
    }

    /// The tensors `weights.{prefix}*`, with the rest of their keys.
    pub fn weights(&self, prefix: &str) -> Weights {
        let own = self.tensors.subset(&format!("weights.{prefix}"));
        match &self.lender {
            Some(lender) if own.is_empty() => lender.weights(prefix),
            _ => own,
        }
    }

    /// Gives every parameter of `module` its value in f32: the tensors `weights.{prefix}*` of the file, or, where the
    /// file describes its weights instead of storing them (`weights_recipe`), the numbers of the description.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when keys or shapes differ from those of the module; [`Error::Malformed`] when
    /// the description does not give the numbers whose checksums stand beside it.
    pub fn load<M: Published>(&self, prefix: &str, module: M) -> Result<M> {
        let stored = self.weights(prefix);
        let lender = self.lender.as_deref();
        match self.header.weights_recipe.as_ref().or(lender.and_then(|lender| lender.header.weights_recipe.as_ref())) {
            Some(recipe) if stored.is_empty() => recipe.fill(prefix, module, &self.path),
            _ => stored.load(module, Precision::F32, Progress::none()),
        }
    }

    /// Names of all inputs, in alphabetical order.
    pub fn inputs(&self) -> Vec<String> {
        let mut names = self.lender.as_ref().map(|lender| lender.inputs()).unwrap_or_default();
        names.extend(self.tensors.subset("in.").shapes().map(|(key, _)| key.to_string()));
        names.sort();
        names.dedup();
        names
    }

    /// Names of all answers without their suffixes, in alphabetical order.
    pub fn outputs(&self) -> Vec<String> {
        let answers = self.tensors.subset("out.");
        let mut names: Vec<String> = answers
            .shapes()
            .map(|(key, _)| SUFFIXES.iter().find_map(|s| key.strip_suffix(s)).unwrap_or(key).to_string())
            .collect();
        names.dedup();
        names
    }

    /// True when there is such an input, here or in the file whose inputs this one shares.
    pub fn has_input(&self, name: &str) -> bool {
        self.holder(name).is_some()
    }

    /// True when this file itself holds the input, not only the file whose inputs it shares.
    pub fn owns_input(&self, name: &str) -> bool {
        self.tensors.contains(&format!("in.{name}"))
    }

    /// The values of an input.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there is no such input, or it has a type that cannot be read.
    pub fn input(&self, name: &str) -> Result<Values> {
        let values = self.holder(name).map(|holder| holder.values(&format!("in.{name}"))).transpose()?.flatten();
        values.ok_or_else(|| self.malformed(format!("kind `{}` needs an input `{name}`", self.kind())))
    }

    /// An input as a float tensor.
    ///
    /// # Errors
    /// Those of [`input`](Self::input); [`Error::Malformed`] when it has another number of axes than `D`.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        let Values { shape, data } = self.input(name)?;
        if shape.len() != D {
            let holder = self.holder(name).unwrap_or(self);
            let reason = format!("input `{name}` has shape {shape:?}: {} axes instead of {D}", shape.len());
            return Err(holder.malformed(reason));
        }
        let data: Vec<f32> = data.into_iter().map(|value| value as f32).collect();
        Ok(Tensor::from_data(TensorData::new(data, shape), (device, DType::F32)))
    }

    /// An input of bytes `[.., height, width, 3]` as pictures; there is at least one.
    ///
    /// # Errors
    /// Those of [`input`](Self::input); [`Error::Malformed`] when it has another shape or no pixels.
    pub fn pictures(&self, name: &str) -> Result<Vec<Frame>> {
        let Values { shape, data } = self.input(name)?;
        let wrong = || {
            let holder = self.holder(name).unwrap_or(self);
            holder.malformed(format!("input `{name}` has shape {shape:?}, not [.., height, width, 3]"))
        };
        let [.., height, width, 3] = shape[..] else { return Err(wrong()) };
        let (Ok(columns), Ok(rows)) = (u32::try_from(width), u32::try_from(height)) else { return Err(wrong()) };
        if data.is_empty() {
            return Err(wrong());
        }
        let bytes: Vec<u8> = data.iter().map(|value| *value as u8).collect();
        let picture = |bytes: &[u8]| Frame::from_raw(columns, rows, bytes.to_vec()).ok_or_else(wrong);
        bytes.chunks(height * width * 3).map(picture).collect()
    }

    /// This file or the one whose inputs it shares, whichever has the input.
    fn holder(&self, name: &str) -> Option<&Self> {
        if self.owns_input(name) { Some(self) } else { self.lender.as_deref()?.holder(name) }
    }

    pub(super) fn malformed(&self, reason: String) -> Error {
        Error::malformed(&self.path, FORMAT, reason)
    }

    /// The answer of this name with the reference's own error, in its most precise form.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the tensor has a type that cannot be read.
    pub fn expected(&self, name: &str) -> Result<Option<Expected>> {
        for suffix in SUFFIXES {
            let key = format!("out.{name}{suffix}");
            if let Some(values) = self.values(&key)? {
                let double = self.tensors.raw(&key).is_some_and(|(_, dtype, _)| dtype == Dtype::F64);
                return Ok(Some(Expected { values, double, reference_error: self.reference_error(name) }));
            }
        }
        Ok(None)
    }

    /// Relative L2 error of the original's own f32 of a tensor, where it was measured.
    pub(super) fn reference_error(&self, name: &str) -> Option<f64> {
        self.header.stats.get(name).and_then(|stats| stats.f32_rel_l2_err)
    }

    fn values(&self, key: &str) -> Result<Option<Values>> {
        let Some((shape, dtype, bytes)) = self.tensors.raw(key) else { return Ok(None) };
        let data = decode(dtype, bytes).ok_or_else(|| self.malformed(format!("tensor `{key}` has type {dtype:?}")))?;
        Ok(Some(Values { shape: shape.to_vec(), data }))
    }
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<N>().0.iter().map(|element| read(*element)).collect()
    }
    Some(match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f32::from_le_bytes(b).into()),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).into()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).into()),
        // Every integer of a golden file is far below 2^53, the last that f64 holds exactly.
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
        Dtype::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
        Dtype::U8 | Dtype::BOOL => each(bytes, |[b]: [u8; 1]| b.into()),
        _ => return None,
    })
}
