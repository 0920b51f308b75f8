//! LoRA: matrices that are changed by products of two narrow ones (Hu et al., 2021).
//!
//! A file holds, for a matrix `W` of `[out, in]`, the factors `A` of `[rank, in]` and `B` of `[out, rank]`; the model computes with
//! `W + strength * alpha / rank * B A`. Names and layout are those with which diffusers' `CogVideoXLoraLoaderMixin` saves and loads:
//! `transformer.transformer_blocks.0.attn1.to_q.lora_A.weight`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::tensor::{DType, Device, Tensor};
use serde_json::Value;

use super::convert::{Defect, float_data};
use super::keys::{Key, Published, PublishedMapper, as_stored};
use super::report::{LoadReport, Misshapen};
use super::save::{Stored, write_shard};
use super::weights::Weights;
use crate::{Error, Limits, Progress, Result};

/// Name under which diffusers saves the LoRA of a pipeline.
pub const LORA_FILE: &str = "pytorch_lora_weights.safetensors";

const FORMAT: &str = "LoRA";
/// What stands in front of the keys of the denoiser in the file of a pipeline, and does not in that of a network alone.
const COMPONENT: &str = "transformer.";
const WEIGHT: &str = ".weight";
const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";
/// Where diffusers (from 0.34 on) writes the configuration of PEFT, as JSON; older files have none, and alpha equals the rank.
const CONFIG: &str = "lora_adapter_metadata";

/// Keys of the factors `A` and `B` of the matrix that is published as `key`; `None` for what is no weight.
pub fn lora_keys(key: &str) -> Option<[String; 2]> {
    let layer = key.strip_suffix(WEIGHT)?;
    Some([DOWN, UP].map(|factor| format!("{layer}{factor}")))
}

/// `base + up down`, in f32.
///
/// # Shapes
/// `base` `[out, in]`, `down` `[rank, in]`, `up` `[out, rank]`
pub fn low_rank_update(base: Tensor<2>, down: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    base.cast(DType::F32) + up.matmul(down)
}

/// Writes factors by their keys, in their own types; what [`Lora::open`] and diffusers read. As no version of diffusers before 0.34 reads an
/// alpha for this family, `B` has to hold `alpha / rank` already.
///
/// # Errors
/// [`Error::Io`] when the file cannot be written.
pub fn save_lora(factors: BTreeMap<String, Tensor<2>>, path: &Path) -> Result<()> {
    let tensors: Vec<_> = factors.into_iter().map(|(key, factor)| (key, Stored::of(factor))).collect();
    write_shard(&tensors, path)?.commit()
}

/// A file of low-rank updates, and how strongly they count.
#[derive(Debug, Clone)]
pub struct Lora {
    weights: Weights,
    strength: f64,
    alpha: Alpha,
    /// By the published key of the matrix: keys of `A` and `B` in the file, where they are.
    pairs: BTreeMap<String, [Option<String>; 2]>,
    /// Keys that are no factors.
    others: Vec<String>,
}

/// What a product is multiplied by, beside the strength.
#[derive(Debug, Clone, Copy)]
enum Alpha {
    /// 1: alpha is the rank.
    Rank,
    /// `alpha / rank`.
    OverRank(f64),
    /// `alpha / sqrt(rank)` (Kalajdzievski, 2023).
    OverRoot(f64),
}

impl Lora {
    /// Opens a file, or the one called [`LORA_FILE`] in a directory; `strength` 1 is as it was trained.
    ///
    /// # Errors
    /// Those of [`Weights::open`]; [`Error::Unsupported`] for variants of LoRA that are not a product of two factors with one alpha;
    /// [`Error::Invalid`] for a strength that is no number.
    pub fn open(path: impl AsRef<Path>, strength: f64, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let file: PathBuf = if path.is_dir() { path.join(LORA_FILE) } else { path.to_path_buf() };
        if !strength.is_finite() {
            return Err(Error::invalid(
                "strength of a LoRA",
                format!("{strength}; 1 is as it was trained, 0 is nothing"),
            ));
        }
        let weights = Weights::open(&file, limits)?;
        let alpha = match weights.metadata(CONFIG) {
            Some(text) => alpha(&file, text)?,
            None => Alpha::Rank,
        };
        let mut pairs: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
        let mut others = Vec::new();
        for (key, _) in weights.shapes() {
            let own = key.strip_prefix(COMPONENT).unwrap_or(key);
            let place = [DOWN, UP].iter().position(|factor| own.ends_with(factor));
            let Some((place, layer)) = place.and_then(|place| Some((place, own.strip_suffix([DOWN, UP][place])?)))
            else {
                others.push(key.to_string());
                continue;
            };
            let slot = &mut pairs.entry(format!("{layer}{WEIGHT}")).or_default()[place];
            if let Some(other) = slot.replace(key.to_string()) {
                return Err(Error::malformed(&file, FORMAT, format!("{other} and {key} are the same factor")));
            }
        }
        if pairs.is_empty() {
            let reason = format!(
                "no tensor is called *{DOWN} or *{UP}; diffusers' and PEFT's names are read, those of other trainers are not"
            );
            return Err(Error::malformed(&file, FORMAT, reason));
        }
        Ok(Self { weights, strength, alpha, pairs, others })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.weights.path()
    }

    /// Published keys of the matrices that it changes.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.pairs.keys().map(String::as_str)
    }

    /// Compares keys and shapes with those of `module` without reading a tensor.
    pub fn check<M: Published>(&self, module: &M) -> LoadReport {
        let shapes = module.published_shapes();
        let mut report = LoadReport { unused: self.others.clone(), ..LoadReport::default() };
        for (key, pair) in &self.pairs {
            let Some(matrix) = shapes.get(key) else {
                report.unused.extend(pair.iter().flatten().cloned());
                continue;
            };
            let [Some(down), Some(up)] = pair else {
                let names = lora_keys(key).into_iter().flatten().zip(pair);
                report.missing.extend(names.filter(|(_, found)| found.is_none()).map(|(name, _)| name));
                continue;
            };
            let dims = |key: &str| self.weights.raw(key).map(|(shape, ..)| shape.to_vec()).unwrap_or_default();
            let [found_down, found_up] = [dims(down), dims(up)];
            let rank = found_down.first().copied().unwrap_or(1).max(1);
            let expected = match matrix[..] {
                [out, input] => [vec![rank, input], vec![out, rank]],
                // Only matrices have factors: the shape of what is none says why.
                _ => [matrix.clone(), matrix.clone()],
            };
            for ((key, found), expected) in [(down, found_down), (up, found_up)].into_iter().zip(expected) {
                if found != expected {
                    report.misshapen.push(Misshapen { key: key.clone(), found, expected });
                }
            }
        }
        report
    }

    /// Adds low-rank updates to the parameters of `module`: in f32, rounded once to the type of the parameter, however many there are.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] with every key of a file that the module has not and every factor that does not fit or is not made of finite
    /// floats; [`Error::Cancelled`] when `progress` asks to stop.
    pub fn merge<M: Published>(loras: &[Self], module: M, progress: Progress) -> Result<M> {
        for lora in loras {
            let report = lora.check(&module);
            if !report.is_clean() {
                return Err(lora.refused(report));
            }
        }
        if loras.is_empty() {
            return Ok(module);
        }
        let total = loras.iter().map(|lora| lora.pairs.len() as u64).sum();
        let mut merger = Merger { loras, progress, done: 0, total, failed: None };
        let module = module.map_published(&mut merger);
        match merger.failed {
            Some(error) => Err(error),
            None => Ok(module),
        }
    }

    fn refused(&self, report: LoadReport) -> Error {
        Error::Checkpoint { path: self.path().to_path_buf(), report: Box::new(report) }
    }

    /// The factors of a matrix, all scales in `B`.
    fn factors(&self, pair: &[Option<String>; 2], device: &Device) -> Result<[Tensor<2>; 2]> {
        let read = |name: &Option<String>| {
            let name = name.as_deref().unwrap_or_default();
            let Some((shape, stored, bytes)) = self.weights.raw(name) else {
                return Err(self.refused(LoadReport { missing: vec![name.into()], ..LoadReport::default() }));
            };
            match float_data(bytes, stored, shape, DType::F32) {
                Ok(data) => Ok(Tensor::<2>::from_data(data, (device, DType::F32))),
                Err(defect) => {
                    let mut report = LoadReport::default();
                    match defect {
                        Defect::WrongDtype => report.wrong_dtype.push((name.into(), format!("{stored:?}"))),
                        Defect::NotFinite => report.not_finite.push(name.into()),
                        Defect::TooLarge => report.too_large.push(name.into()),
                    }
                    Err(self.refused(report))
                }
            }
        };
        let (down, up) = (read(&pair[0])?, read(&pair[1])?);
        let rank = down.dims()[0].max(1) as f64;
        let scale = self.strength
            * match self.alpha {
                Alpha::Rank => 1.0,
                Alpha::OverRank(alpha) => alpha / rank,
                Alpha::OverRoot(alpha) => alpha / rank.sqrt(),
            };
        Ok([down, up.mul_scalar(scale)])
    }
}

struct Merger<'a> {
    loras: &'a [Lora],
    progress: Progress<'a>,
    done: u64,
    total: u64,
    failed: Option<Error>,
}

impl Merger<'_> {
    /// The parameter with its updates; `None` where no file has one.
    fn updated<const D: usize>(&mut self, key: &str, param: &Param<Tensor<D>>) -> Result<Option<Tensor<D>>> {
        let mut sum: Option<Tensor<2>> = None;
        let stored = || as_stored(param, param.val());
        for lora in self.loras {
            let Some(pair) = lora.pairs.get(key) else { continue };
            let base = match sum {
                Some(sum) => sum,
                None => {
                    let stored = stored();
                    let dims = stored.dims();
                    stored.reshape([dims[0], dims[1..].iter().product()])
                }
            };
            let [down, up] = lora.factors(pair, &base.device())?;
            sum = Some(low_rank_update(base, down, up));
            self.done += 1;
            self.progress.report("merge LoRA", self.done, Some(self.total))?;
        }
        Ok(sum.map(|sum| sum.cast(param.val().dtype()).reshape(stored().shape())))
    }
}

impl PublishedMapper for Merger<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.failed.is_some() {
            return param;
        }
        match self.updated(key.as_str(), &param) {
            Ok(Some(value)) => {
                let id = param.id;
                param.transform_for_load(value, id)
            }
            Ok(None) => param,
            Err(error) => {
                self.failed = Some(error);
                param
            }
        }
    }
}

/// Alpha from the configuration that PEFT has for this adapter.
fn alpha(path: &Path, text: &str) -> Result<Alpha> {
    let malformed = |reason: String| Error::malformed(path, FORMAT, format!("`{CONFIG}` of its header: {reason}"));
    let config: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let field = |name: &str| config.get(&format!("{COMPONENT}{name}")).or_else(|| config.get(name));
    let set = |name: &str| match field(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    };
    for (name, what) in [("use_dora", "DoRA"), ("alpha_pattern", "an alpha that differs between layers")] {
        if set(name) {
            let help = "merge it into the weights with PEFT, and load those".into();
            return Err(Error::Unsupported { path: path.to_path_buf(), what: format!("{what} (`{name}`)"), help });
        }
    }
    match field("lora_alpha").map(Value::as_f64) {
        None => Ok(Alpha::Rank),
        Some(Some(alpha)) if alpha.is_finite() => {
            Ok(if set("use_rslora") { Alpha::OverRoot(alpha) } else { Alpha::OverRank(alpha) })
        }
        Some(_) => Err(malformed("`lora_alpha` is no number".into())),
    }
}
