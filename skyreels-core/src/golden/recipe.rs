//! Weights that are described, not stored: numbers of a published generator.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::checkpoint::{LoadReport, Misshapen, Published, fill};
use crate::hash::fnv1a;
use crate::{Error, Precision, Result};

/// SplitMix64.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
/// Half of the 2^24 values that the upper bits of a draw take.
const HALF_RANGE: f64 = 8_388_608.0;
/// Bits of a draw that are not used.
const DROPPED_BITS: u32 = 40;

/// How to make every weight of a network.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Recipe {
    salt: String,
    tensors: Vec<Entry>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    key: String,
    shape: Vec<usize>,
    #[serde(flatten)]
    values: Values,
}

/// Numbers around `offset` within `amp`, or those of another tensor.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Values {
    Drawn { offset: f64, amp: f64, crc32: u32 },
    Alias { alias_of: String },
}

impl Recipe {
    /// Gives every parameter of `module` the values described for `prefix` + its key.
    pub(super) fn fill<M: Published>(&self, prefix: &str, module: M, path: &Path) -> Result<M> {
        let entries: BTreeMap<&str, &Entry> =
            self.tensors.iter().filter_map(|entry| Some((entry.key.strip_prefix(prefix)?, entry))).collect();
        let report = compare::<M>(&entries, &module.published_shapes());
        if !report.is_clean() {
            return Err(Error::Checkpoint { path: path.to_path_buf(), report: Box::new(report) });
        }
        let mut wrong = None;
        let module = fill(module, Precision::F32, |key, shape| {
            let size = shape.iter().product();
            self.values(entries[key], size).unwrap_or_else(|reason| {
                wrong = Some(reason);
                vec![0.0; size]
            })
        });
        match wrong {
            None => Ok(module),
            Some(reason) => Err(Error::malformed(path, "golden file", reason)),
        }
    }

    fn values(&self, entry: &Entry, size: usize) -> Result<Vec<f32>, String> {
        match &entry.values {
            Values::Drawn { offset, amp, crc32 } => {
                let values = draw(&self.salt, &entry.key, size, *offset, *amp);
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                if crc32fast::hash(&bytes) != *crc32 {
                    return Err(format!("the recipe of `{}` gives numbers with another checksum", entry.key));
                }
                Ok(values)
            }
            Values::Alias { alias_of } => {
                let drawn = |other: &&Entry| other.key == *alias_of && matches!(other.values, Values::Drawn { .. });
                let other = self.tensors.iter().find(drawn);
                self.values(other.ok_or_else(|| format!("`{}` is an alias of nothing", entry.key))?, size)
            }
        }
    }
}

fn compare<M: Published>(entries: &BTreeMap<&str, &Entry>, expected: &BTreeMap<String, Vec<usize>>) -> LoadReport {
    let mut report = LoadReport::default();
    for (key, shape) in expected {
        match entries.get(key.as_str()) {
            None => report.missing.push(key.clone()),
            Some(entry) if entry.shape != *shape => report.misshapen.push(Misshapen {
                key: key.clone(),
                found: entry.shape.clone(),
                expected: shape.clone(),
            }),
            Some(_) => {}
        }
    }
    let unused = |key: &&&str| !expected.contains_key(**key) && !M::IGNORED.iter().any(|start| key.starts_with(start));
    report.unused = entries.keys().filter(unused).map(|key| key.to_string()).collect();
    report
}

/// Values of a tensor: SplitMix64 from a seed that is the FNV-1a hash of `salt/key`, the upper 24 bits as a number in
/// `[-1, 1)`.
fn draw(salt: &str, key: &str, size: usize, offset: f64, amp: f64) -> Vec<f32> {
    let bytes = salt.bytes().chain([b'/']).chain(key.bytes());
    let seed = fnv1a(bytes);
    let value = |index: u64| {
        let mut z = seed.wrapping_add((index + 1).wrapping_mul(GOLDEN_RATIO));
        z = (z ^ (z >> 30)).wrapping_mul(MIX[0]);
        z = (z ^ (z >> 27)).wrapping_mul(MIX[1]);
        z ^= z >> 31;
        let unit = ((z >> DROPPED_BITS) as f64 - HALF_RANGE) / HALF_RANGE;
        (offset + amp * unit) as f32
    };
    (0..size as u64).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_test_vector_is_met() {
        assert_eq!(draw("salt", "key", 3, 0.25, 0.7), [0.174_981_43, 0.163_717_9, -0.310_846_45]);
    }
}
