//! Tables of a file on the host, with everything that is wrong about them said at once.

use safetensors::Dtype;
use skyreels_core::checkpoint::{LoadReport, Misshapen, Weights};

use crate::Result;

/// Reads tables and remembers what did not fit.
pub(super) struct Tables<'a> {
    weights: &'a Weights,
    report: LoadReport,
    known: Vec<&'static str>,
}

/// The numbers of a table; `None` for types that are not read.
type Decoded = Option<Vec<f64>>;

impl<'a> Tables<'a> {
    pub(super) fn new(weights: &'a Weights) -> Self {
        Self { weights, report: LoadReport::default(), known: Vec::new() }
    }

    /// Shape of a table, empty when it is not there.
    pub(super) fn shape(&self, key: &str) -> &'a [usize] {
        self.weights.raw(key).map_or(&[], |(shape, _, _)| shape)
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.weights.contains(key)
    }

    /// Finite numbers of a float table; empty when they cannot be had.
    pub(super) fn floats(&mut self, key: &'static str, shape: &[usize]) -> Vec<f64> {
        let Some(values) = self.values(key, shape, floats) else { return Vec::new() };
        if values.iter().any(|value| !value.is_finite()) {
            self.report.not_finite.push(key.to_owned());
            return Vec::new();
        }
        values
    }

    /// Whole numbers of an integer table; empty when they cannot be had.
    pub(super) fn integers(&mut self, key: &'static str, shape: &[usize]) -> Vec<i64> {
        self.values(key, shape, integers).unwrap_or_default().into_iter().map(|value| value as i64).collect()
    }

    fn values(
        &mut self,
        key: &'static str,
        expected: &[usize],
        decode: impl Fn(Dtype, &[u8]) -> Decoded,
    ) -> Option<Vec<f64>> {
        self.known.push(key);
        let Some((shape, dtype, bytes)) = self.weights.raw(key) else {
            self.report.missing.push(key.to_owned());
            return None;
        };
        if shape != expected {
            let (found, expected) = (shape.to_vec(), expected.to_vec());
            self.report.misshapen.push(Misshapen { key: key.to_owned(), found, expected });
            return None;
        }
        let values = decode(dtype, bytes);
        if values.is_none() {
            self.report.wrong_dtype.push((key.to_owned(), format!("{dtype:?}")));
        }
        values
    }

    /// Fails when a table was missing, misshapen or of another type, or when one is left that nobody asked for and
    /// that is not `ignored`.
    pub(super) fn finish(mut self, ignored: &[&str]) -> Result<()> {
        let keys = self.weights.shapes().map(|(key, _)| key);
        let unused = keys.filter(|key| !self.known.contains(key) && !ignored.contains(key));
        self.report.unused = unused.map(str::to_owned).collect();
        if self.report.is_clean() {
            return Ok(());
        }
        let path = self.weights.path().to_path_buf();
        Err(skyreels_core::Error::Checkpoint { path, report: Box::new(self.report) }.into())
    }
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Decoded {
    Some(bytes.as_chunks::<N>().0.iter().map(|element| read(*element)).collect())
}

fn floats(dtype: Dtype, bytes: &[u8]) -> Decoded {
    match dtype {
        Dtype::F64 => each(bytes, f64::from_le_bytes),
        Dtype::F32 => each(bytes, |b| f32::from_le_bytes(b).into()),
        _ => None,
    }
}

fn integers(dtype: Dtype, bytes: &[u8]) -> Decoded {
    match dtype {
        // Indices are far below 2^53, the last whole number that f64 holds exactly.
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
        _ => None,
    }
}
