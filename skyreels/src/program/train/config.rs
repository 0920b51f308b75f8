//! What `skyreels train` reads.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skyreels::Error;
use skyreels::core::Error as CoreError;
use skyreels::train::Source;
use skyreels::train::autoencoder::AutoencoderSettings;
use skyreels::train::diffusion::DiffusionSettings;
use skyreels::train::guider::GuiderSettings;
use skyreels::train::landmarks::LandmarkSettings;
use skyreels::train::run::RunSettings;

use crate::program::Result;
use crate::program::source::request;

/// No configuration written by a person comes near this.
const MAX_CONFIG_BYTES: u64 = 1 << 20;
/// A configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model directory that training begins with; relative to the configuration. The landmark network
    /// begins with that of this model, or with none.
    #[serde(default)]
    model: Option<PathBuf>,
    /// Type of the weights that are trained; masters and norms are f32.
    #[serde(default)]
    pub precision: Option<String>,
    /// What is trained.
    pub task: TaskConfig,
    /// Examples; the landmark network renders its own.
    #[serde(default)]
    data: Option<Source>,
    /// Examples that are not trained on; by default those that the source knows.
    #[serde(default)]
    held_out: Option<Source>,
    /// Stages, checkpoints, seed.
    pub run: RunSettings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskConfig {
    /// Transformer, face projector and landmark guider.
    Diffusion(DiffusionSettings),
    /// The video VAE.
    Autoencoder(AutoencoderSettings),
    /// The landmark guider alone, taught by the VAE.
    Guider(GuiderSettings),
    /// The small landmark network.
    Landmarks(LandmarkSettings),
}

impl Config {
    /// The model that training begins with, if one is named.
    pub fn begins_with(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    /// The model that training begins with.
    pub fn model(&self) -> Result<&Path> {
        let missing =
            || request("model", "name the model directory that training begins with: `model = \"DIR\"`".into());
        self.begins_with().ok_or_else(missing)
    }

    /// Where examples come from, and those that are not trained on.
    pub fn sources(&self) -> Result<(&Source, Option<Source>)> {
        let missing =
            || request("data", "say what to train on: `[data.rendered]` or `data.prepared = \"FILE\"`".into());
        let data = self.data.as_ref().ok_or_else(missing)?;
        Ok((data, self.held_out.clone().or_else(|| data.held_out())))
    }
}

/// Reads a configuration, with others laid over it.
pub fn read_config(path: &Path, others: &[PathBuf]) -> Result<Config> {
    let mut config: Config = match others {
        [] => parse(path)?,
        others => {
            let mut sum: Value = parse(path)?;
            for other in others {
                lay_over(&mut sum, parse(other)?);
            }
            serde_json::from_value(sum).map_err(|error| {
                let names: Vec<String> = others.iter().map(|other| other.display().to_string()).collect();
                let reason = format!("with {} laid over it: {error}", names.join(", "));
                Error::Config { path: path.to_path_buf(), reason }
            })?
        }
    };
    // Files that a configuration names lie where it lies.
    if let Some(folder) = path.parent() {
        config.model = config.model.map(|model| folder.join(model));
        config.data = config.data.map(|source| source.in_folder(folder));
        config.held_out = config.held_out.map(|source| source.in_folder(folder));
    }
    Ok(config)
}

/// Reads TOML or, by the name of the file, JSON.
fn parse<C: DeserializeOwned>(path: &Path) -> Result<C> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(CoreError::io("read", path))?;
    file.take(MAX_CONFIG_BYTES).read_to_string(&mut text).map_err(CoreError::io("read", path))?;
    let wrong = |reason: String| Error::Config { path: path.to_path_buf(), reason };
    if path.extension().is_some_and(|extension| extension == "json") {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
    } else {
        toml::from_str(&text).map_err(|error| wrong(error.to_string()))
    }
}

/// Tables are joined, lists of tables entry by entry; everything else is replaced.
fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                match below.get_mut(&key) {
                    Some(place) => lay_over(place, value),
                    None => {
                        below.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(below), Value::Array(above)) if above.iter().all(Value::is_object) && !above.is_empty() => {
            let mut rest = above.into_iter();
            for (place, value) in below.iter_mut().zip(rest.by_ref()) {
                lay_over(place, value);
            }
            below.extend(rest);
        }
        (below, above) => *below = above,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_joined_and_lists_of_tables_entry_by_entry() {
        let mut config = json!({ "a": 1, "b": { "c": 2, "d": [1, 2] }, "e": [{ "f": 1, "g": 2 }, { "f": 3 }] });
        lay_over(&mut config, json!({ "b": { "d": [3] }, "e": [{}, { "f": 4 }, { "f": 5 }], "h": 6 }));
        let expected = json!({
            "a": 1, "b": { "c": 2, "d": [3] }, "e": [{ "f": 1, "g": 2 }, { "f": 4 }, { "f": 5 }], "h": 6
        });
        assert_eq!(config, expected);
    }
}
