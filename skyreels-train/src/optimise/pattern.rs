//! Which parameters: patterns of published keys.

use serde::{Deserialize, Serialize};

/// Keys that match one of `train` and none of `freeze`; `*` stands for any part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patterns {
    /// What is trained: `transformer.patch_embed.proj.*`, for example.
    pub train: Vec<String>,
    /// What stays frozen of that.
    #[serde(default)]
    pub freeze: Vec<String>,
}

impl Patterns {
    /// Whether a key is meant.
    pub fn contains(&self, key: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, key));
        any(&self.train) && !any(&self.freeze)
    }

    /// True when a key of a part of the model could be meant, for example `pose_guider.`.
    pub fn touches<'a>(&self, mut keys: impl Iterator<Item = &'a str>) -> bool {
        keys.any(|key| self.contains(key))
    }
}

/// Whether `pattern` describes the whole of `key`; `*` stands for any number of characters.
pub fn matches(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == key,
        Some((start, rest)) => key
            .strip_prefix(start)
            .is_some_and(|key| (0..=key.len()).any(|skip| key.is_char_boundary(skip) && matches(rest, &key[skip..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_part_and_nothing_else_is_special() {
        for (pattern, key, expected) in [
            ("a.*", "a.b.c", true),
            ("a.*", "b.a.c", false),
            ("*.norm*.weight", "x.3.norm1.weight", true),
            ("*.norm*.weight", "x.3.norm1.bias", false),
            ("a.b", "a.b", true),
            ("a.b", "axb", false),
            ("a.b", "a.b.c", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
        }
        let patterns = Patterns { train: vec!["a.*".into()], freeze: vec!["*.pos".into()] };
        assert!(patterns.contains("a.b") && !patterns.contains("a.pos") && !patterns.contains("c.b"));
    }
}
