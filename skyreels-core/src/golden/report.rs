//! Our answers beside the original's.

use std::fmt;

use burn::tensor::Tensor;

use super::file::{Golden, Values};
use crate::Result;

/// An answer may be this many times further from the f64 truth than the original's own f32.
const REFERENCE_FACTOR: f64 = 4.0;
/// Relative L2 error that is always accepted of an f32 build.
const FLOOR: f64 = 1e-5;

/// The original's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// Its values.
    pub values: Values,
    /// Whether the file holds them in double precision.
    pub double: bool,
    /// Relative L2 error of the original's own f32 against its f64, where it was measured.
    pub reference_error: Option<f64>,
}

/// How near an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Relative L2 within the larger of 4 times the reference's own f32 error and 1e-5.
    Reference,
    /// Relative L2 within this.
    Relative(f64),
    /// Every element equal.
    Exact,
}

/// One compared tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name of the answer.
    pub tensor: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// Largest absolute difference.
    pub max_abs: f64,
    /// Relative L2 difference.
    pub rel_l2: f64,
    /// The reference's own f32 error.
    pub reference: Option<f64>,
    /// Largest relative L2 difference that passes.
    pub tolerance: f64,
    /// Why it failed; `None` when it passed.
    pub failure: Option<String>,
}

/// All comparisons of one golden file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Name of the file.
    pub name: String,
    /// One row per answer, in the order of comparison.
    pub rows: Vec<Row>,
}

impl Report {
    /// An empty report for `golden`.
    pub fn new(golden: &Golden) -> Self {
        Self { name: golden.name().to_string(), rows: Vec::new() }
    }

    /// Compares a tensor with the answer `name`; does nothing when the file has no such answer. A tensor that the device
    /// fails to compute is a failed row.
    ///
    /// # Errors
    /// Those of [`Golden::expected`].
    pub fn compare<const D: usize>(&mut self, golden: &Golden, name: &str, ours: Tensor<D>) -> Result<()> {
        if let Some(expected) = golden.expected(name)? {
            self.rows.push(tensor_row(name, ours, &expected));
        }
        Ok(())
    }

    /// Compares a tensor with the input `name`, which the original computed on its way and we compute as well; does
    /// nothing when the file has no such input. The row is called `in.{name}`.
    ///
    /// # Errors
    /// Those of [`Golden::input`].
    pub fn compare_input<const D: usize>(&mut self, golden: &Golden, name: &str, ours: Tensor<D>) -> Result<()> {
        if golden.has_input(name) {
            let reference_error = golden.reference_error(name);
            let expected = Expected { values: golden.input(name)?, double: false, reference_error };
            self.rows.push(tensor_row(&format!("in.{name}"), ours, &expected));
        }
        Ok(())
    }

    /// Compares host values with the answer `name`; does nothing when the file has no such answer.
    ///
    /// # Errors
    /// Those of [`Golden::expected`].
    pub fn compare_values(
        &mut self,
        golden: &Golden,
        name: &str,
        shape: &[usize],
        ours: &[f64],
        tolerance: Tolerance,
    ) -> Result<()> {
        if let Some(expected) = golden.expected(name)? {
            self.rows.push(row(name, shape, ours, &expected, tolerance));
        }
        Ok(())
    }

    /// Fails every answer of `golden` that was not compared.
    #[must_use]
    pub fn finish(mut self, golden: &Golden) -> Self {
        for name in golden.outputs() {
            if !self.rows.iter().any(|row| row.tensor == name) {
                self.rows.push(Row { failure: Some("not computed".into()), ..Row::unknown(name) });
            }
        }
        self
    }

    /// True when every answer passed, and there was at least one.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.failure.is_none())
    }
}

impl Row {
    /// A row of which nothing is known yet.
    fn unknown(tensor: String) -> Self {
        Self {
            tensor,
            shape: Vec::new(),
            max_abs: f64::NAN,
            rel_l2: f64::NAN,
            reference: None,
            tolerance: 0.0,
            failure: None,
        }
    }
}

fn tensor_row<const D: usize>(name: &str, ours: Tensor<D>, expected: &Expected) -> Row {
    let shape = ours.dims();
    match ours.try_into_data() {
        Ok(data) => {
            let values: Vec<f64> = data.iter::<f64>().collect();
            row(name, &shape, &values, expected, Tolerance::Reference)
        }
        Err(error) => Row {
            shape: expected.values.shape.clone(),
            reference: expected.reference_error,
            failure: Some(format!("the device failed: {error}")),
            ..Row::unknown(name.to_string())
        },
    }
}

pub(super) fn row(name: &str, shape: &[usize], ours: &[f64], expected: &Expected, tolerance: Tolerance) -> Row {
    let truth = &expected.values;
    let limit = match tolerance {
        Tolerance::Reference => FLOOR.max(REFERENCE_FACTOR * expected.reference_error.unwrap_or(0.0)),
        Tolerance::Relative(limit) => limit,
        Tolerance::Exact => 0.0,
    };
    let mut row = Row {
        shape: truth.shape.clone(),
        reference: expected.reference_error,
        tolerance: limit,
        ..Row::unknown(name.to_string())
    };
    if shape != truth.shape || ours.len() != truth.data.len() {
        row.failure = Some(format!("shape {shape:?}"));
        return row;
    }
    let differences = || ours.iter().zip(&truth.data).map(|(a, b)| (a - b).abs());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    // `f64::max` drops a NaN, which must show.
    row.max_abs = differences().fold(0.0, |a, b| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) });
    let scale = norm(&mut truth.data.iter().copied());
    row.rel_l2 = norm(&mut differences()) / if scale > 0.0 { scale } else { 1.0 };
    if row.rel_l2.is_nan() || row.rel_l2 > limit {
        let wrong = differences().filter(|difference| *difference != 0.0).count();
        row.failure = Some(match tolerance {
            Tolerance::Exact => format!("{wrong} elements differ"),
            _ => "too far".into(),
        });
    }
    row
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.tensor.len()).max().unwrap_or(0).max("tensor".len());
        writeln!(f, "{}: {}", self.name, if self.passed() { "passed" } else { "FAILED" })?;
        writeln!(
            f,
            "  {:width$}  {:>24}  {:>9}  {:>9}  {:>9}  {:>9}",
            "tensor", "shape", "max abs", "rel L2", "reference", "allowed"
        )?;
        for row in &self.rows {
            let reference = row.reference.map_or("-".into(), |error| format!("{error:.2e}"));
            write!(
                f,
                "  {:width$}  {:>24}  {:>9.2e}  {:>9.2e}  {reference:>9}  {:>9.2e}",
                row.tensor,
                format!("{:?}", row.shape),
                row.max_abs,
                row.rel_l2,
                row.tolerance
            )?;
            match &row.failure {
                Some(reason) => writeln!(f, "  FAILED: {reason}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(data: &[f64]) -> Expected {
        let values = Values { shape: vec![data.len()], data: data.to_vec() };
        Expected { values, double: true, reference_error: Some(1e-7) }
    }

    fn failure(ours: &[f64], tolerance: Tolerance) -> Option<String> {
        row("x", &[ours.len()], ours, &expected(&[1.0, 2.0, 2.0]), tolerance).failure
    }

    #[test]
    fn equal_tensors_pass_and_far_or_nan_or_misshapen_ones_fail() {
        assert_eq!(failure(&[1.0, 2.0, 2.0], Tolerance::Exact), None);
        assert_eq!(failure(&[1.0, 2.0, 2.0 + 2e-5], Tolerance::Reference), None);
        assert!(failure(&[1.0, 2.0, 2.0 + 2e-5], Tolerance::Exact).is_some());
        assert!(failure(&[1.0, 2.0, 2.0001], Tolerance::Reference).is_some());
        assert!(failure(&[f64::NAN, 2.0, 2.0], Tolerance::Reference).is_some());
        assert!(failure(&[1.0, 2.0], Tolerance::Reference).is_some());
    }
}
