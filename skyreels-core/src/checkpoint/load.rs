//! Tensors to their places.

use std::collections::BTreeSet;

use burn::module::Param;
use burn::tensor::{DType, Tensor};

use super::convert::{Defect, float_data};
use super::keys::{Key, Published, PublishedMapper, stored_shape};
use super::report::{LoadReport, Misshapen};
use super::weights::Weights;
use crate::{Error, Precision, Progress, Result};

impl Weights {
    /// Gives every parameter of `module` its tensor.
    ///
    /// Each tensor is read once, converted to `precision` (norms stay f32) and moved to the
    /// device of its parameter; parameters are not initialised first. Peak memory on the host
    /// is the model itself plus one tensor.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] with every missing, unused and misshapen key, and every tensor that
    /// is not made of finite floats or too large for `precision`; [`Error::Cancelled`] when `progress` asks to stop.
    pub fn load<M: Published>(&self, module: M, precision: Precision, progress: Progress) -> Result<M> {
        let mut loader = Loader {
            weights: self,
            dtype: precision.dtype(),
            unused: self.shapes().map(|(key, _)| key).filter(|key| !is_ignored::<M>(key)).collect(),
            total: module.published_shapes().len() as u64,
            done: 0,
            report: LoadReport::default(),
            progress,
            cancelled: None,
        };
        let module = module.map_published(&mut loader);
        if let Some(error) = loader.cancelled {
            return Err(error);
        }
        let mut report = loader.report;
        report.unused = loader.unused.into_iter().map(str::to_string).collect();
        if report.is_clean() {
            return Ok(module);
        }
        Err(Error::Checkpoint { path: self.path().to_path_buf(), report: Box::new(report) })
    }

    /// Compares keys and shapes with those of `module` without reading a tensor.
    pub fn check<M: Published>(&self, module: &M) -> LoadReport {
        let expected = module.published_shapes();
        let mut report = LoadReport::default();
        for (key, shape) in &expected {
            match self.raw(key) {
                None => report.missing.push(key.clone()),
                Some((found, _, _)) if found != shape.as_slice() => report.misshapen.push(Misshapen {
                    key: key.clone(),
                    found: found.to_vec(),
                    expected: shape.clone(),
                }),
                Some(_) => {}
            }
        }
        let unused = |key: &&str| !expected.contains_key(*key) && !is_ignored::<M>(key);
        report.unused = self.shapes().map(|(key, _)| key).filter(unused).map(str::to_string).collect();
        report
    }
}

/// How many batches a norm has seen in training, which PyTorch stores beside its statistics.
const BATCH_COUNT: &str = ".num_batches_tracked";

/// Whether a file may hold a tensor that the module has not.
pub(super) fn is_ignored<M: Published>(key: &str) -> bool {
    key.ends_with(BATCH_COUNT) || M::IGNORED.iter().any(|prefix| key.starts_with(prefix))
}

struct Loader<'a> {
    weights: &'a Weights,
    dtype: DType,
    unused: BTreeSet<&'a str>,
    total: u64,
    done: u64,
    report: LoadReport,
    progress: Progress<'a>,
    cancelled: Option<Error>,
}

impl PublishedMapper for Loader<'_> {
    fn map<const D: usize>(&mut self, key: &Key, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.cancelled.is_some() {
            return param;
        }
        let norm = key.is_norm();
        let key = key.as_str().to_string();
        self.unused.remove(key.as_str());
        let Some((shape, stored, bytes)) = self.weights.raw(&key) else {
            self.report.missing.push(key);
            return param;
        };
        let expected = stored_shape(&param);
        if shape != expected.as_slice() {
            self.report.misshapen.push(Misshapen { key, found: shape.to_vec(), expected });
            return param;
        }
        let dtype = if norm { DType::F32 } else { self.dtype };
        let converted = float_data(bytes, stored, shape, dtype);
        self.weights.release(&key);
        match converted {
            Ok(data) => {
                let tensor = Tensor::from_data(data, (&param.lazy_device(), dtype));
                self.done += 1;
                self.cancelled = self.progress.report("load", self.done, Some(self.total)).err();
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(defect) => {
                match defect {
                    Defect::WrongDtype => self.report.wrong_dtype.push((key, format!("{stored:?}"))),
                    Defect::NotFinite => self.report.not_finite.push(key),
                    Defect::TooLarge => self.report.too_large.push(key),
                }
                param
            }
        }
    }
}
