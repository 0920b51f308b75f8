//! What did not fit when a checkpoint met a model.

use std::fmt;

/// A tensor whose shape differs from the parameter of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misshapen {
    /// Key in the checkpoint.
    pub key: String,
    /// Shape in the file.
    pub found: Vec<usize>,
    /// Shape of the parameter.
    pub expected: Vec<usize>,
}

/// Every key that did not find its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters without a tensor.
    pub missing: Vec<String>,
    /// Tensors without a parameter.
    pub unused: Vec<String>,
    /// Tensors of another shape than their parameter.
    pub misshapen: Vec<Misshapen>,
    /// Tensors of an element type that is not a float this crate reads: key and type.
    pub wrong_dtype: Vec<(String, String)>,
    /// Tensors that hold a NaN or an infinity.
    pub not_finite: Vec<String>,
    /// Tensors that hold a value beyond the largest of the precision they are loaded in.
    pub too_large: Vec<String>,
}

impl LoadReport {
    /// True when every parameter got its tensor and no tensor was left over.
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = |title: &str, lines: Vec<String>| -> fmt::Result {
            if lines.is_empty() {
                return Ok(());
            }
            writeln!(f, "  {title} ({}):", lines.len())?;
            lines.iter().try_for_each(|line| writeln!(f, "    {line}"))
        };
        section("missing", self.missing.clone())?;
        section("unused", self.unused.clone())?;
        let shapes = |m: &Misshapen| format!("{}: file has {:?}, model expects {:?}", m.key, m.found, m.expected);
        section("misshapen", self.misshapen.iter().map(shapes).collect())?;
        section("not a float", self.wrong_dtype.iter().map(|(key, dtype)| format!("{key}: {dtype}")).collect())?;
        section("holding NaN or infinity", self.not_finite.clone())?;
        section("too large for this precision, f16 ends at 65504: use bf16 or f32", self.too_large.clone())
    }
}
