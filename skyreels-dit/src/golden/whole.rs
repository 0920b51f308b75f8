//! The fields of a golden file that describe a whole rotary table.

use std::collections::BTreeMap;

use serde_json::Value;
use skyreels_core::checkpoint::read_config;
use skyreels_core::golden::Golden;

/// A table of all positions of a clip.
pub(super) struct Whole {
    /// Frames, rows and columns of patches.
    pub grid: [usize; 3],
    /// Corners of the rows and columns in the base grid, where the file tells them.
    pub crop: Option<Value>,
}

impl Whole {
    /// Those of a file: its fields called `rope_{height}x{width}x{frames}` that hold a `grid`.
    pub fn of(file: &Golden) -> Vec<Self> {
        let fields: BTreeMap<String, Value> = read_config(file.path()).unwrap_or_default();
        let describe = |(name, field): (String, Value)| {
            let size = name.strip_prefix("rope_")?.split('x').map(str::parse);
            let size: Vec<usize> = size.collect::<Result<_, _>>().ok()?;
            let grid = sizes::<3>(field.get("grid")?)?;
            (size.len() == 3).then(|| Self { grid, crop: field.get("crop").cloned() })
        };
        fields.into_iter().filter_map(describe).collect()
    }
}

/// An array of `N` sizes.
pub(super) fn sizes<const N: usize>(value: &Value) -> Option<[usize; N]> {
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let numbers: Option<Vec<usize>> = value.as_array()?.iter().map(number).collect();
    numbers?.try_into().ok()
}
