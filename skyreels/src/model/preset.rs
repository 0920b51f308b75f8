//! Checkpoints made from nothing, in the published layout.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde_json::{Value, json};
use skyreels_core::checkpoint::{
    DIFFUSERS_STEM, Published, SHARD_BYTES, TRANSFORMERS_STEM, fill, initial_values, save,
};
use skyreels_core::output::write_file;
use skyreels_core::{Device, Error as CoreError, Limits, Precision, Progress};
use skyreels_dit::{SiglipConfig, TransformerConfig};
use skyreels_vae::{CausalVae, VaeConfig};

use super::{GUIDER, ModelDir, SCHEDULER, SIGLIP, TRANSFORMER, VAE};
use crate::{Error, Result};

/// Sizes of a checkpoint to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Every part of the architecture at its smallest: 17 frames of 96x160, well under a million
    /// parameters.
    Tiny,
    /// A model that two cores can train on the rendered world: 17 frames of 96x144, two million parameters in the
    /// denoiser.
    Nano,
}

/// Components that have weights.
const WEIGHTS: u64 = 4;

impl FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "tiny" => Ok(Self::Tiny),
            "nano" => Ok(Self::Nano),
            _ => Err(Error::request("preset", format!("`{name}` is unknown; use tiny or nano"))),
        }
    }
}

impl Preset {
    /// Writes a random checkpoint of these sizes into `directory`, which may exist. The same seed
    /// gives the same bytes on every machine.
    ///
    /// Weights are normal with variance `1 / fan_in`, norms the identity, biases zero: activations
    /// keep their scale, and every branch carries something.
    ///
    /// # Errors
    /// [`Error::Core`] when a file cannot be written or `progress` asks to stop.
    pub fn write(self, directory: &Path, seed: u64, device: &Device, progress: Progress) -> Result<()> {
        const STAGE: &str = "init";
        let configs = match self {
            Self::Tiny => tiny(),
            Self::Nano => nano(),
        };
        write_configs(directory, &configs)?;
        let model = ModelDir::open(directory, &Limits::default())?;
        let write = Writer { directory, seed };
        progress.report(STAGE, 0, Some(WEIGHTS))?;
        write.component(TRANSFORMER, DIFFUSERS_STEM, model.transformer.init(device)?)?;
        progress.report(STAGE, 1, Some(WEIGHTS))?;
        write.component(VAE, DIFFUSERS_STEM, CausalVae::new(&model.vae, device)?)?;
        progress.report(STAGE, 2, Some(WEIGHTS))?;
        // The published guider holds its unused decoder too.
        write.component(GUIDER, DIFFUSERS_STEM, CausalVae::new(&model.guider, device)?)?;
        progress.report(STAGE, 3, Some(WEIGHTS))?;
        write.component(SIGLIP, TRANSFORMERS_STEM, model.siglip.init(device)?)?;
        Ok(progress.report(STAGE, WEIGHTS, Some(WEIGHTS))?)
    }
}

/// Writes the configurations of the published model into `directory`, which may exist, and no weights: for what needs
/// its sizes alone.
///
/// # Errors
/// [`Error::Core`] when a file cannot be written.
pub fn write_published_configs(directory: &Path) -> Result<()> {
    let json = |config: serde_json::Result<Value>| config.expect("a configuration is valid JSON");
    let vae = json(serde_json::to_value(VaeConfig::published()));
    let configs = [
        (TRANSFORMER, "config.json", json(serde_json::to_value(TransformerConfig::a1_5b()))),
        (VAE, "config.json", vae.clone()),
        (GUIDER, "config.json", vae),
        (SIGLIP, "config.json", json(serde_json::to_value(SiglipConfig::so400m()))),
        (SCHEDULER, "scheduler_config.json", scheduler()),
    ];
    write_configs(directory, &configs)
}

/// Writes each component's configuration into its folder.
fn write_configs(directory: &Path, configs: &[(&str, &str, Value)]) -> Result<()> {
    for (component, name, config) in configs {
        let folder = directory.join(component);
        fs::create_dir_all(&folder).map_err(CoreError::io("create", &folder))?;
        let text = serde_json::to_vec_pretty(config).expect("a JSON value is valid JSON");
        write_file(folder.join(name), &text)?;
    }
    Ok(())
}

struct Writer<'a> {
    directory: &'a Path,
    seed: u64,
}

impl Writer<'_> {
    fn component<M: Published>(&self, name: &str, stem: &str, module: M) -> Result<()> {
        let module =
            fill(module, Precision::F32, |key, shape| initial_values(self.seed, &format!("{name}/{key}"), shape));
        Ok(save(&module, &self.directory.join(name), stem, SHARD_BYTES)?)
    }
}

fn tiny() -> [(&'static str, &'static str, Value); 5] {
    let transformer = json!({
        "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 48, "out_channels": 16,
        "flip_sin_to_cos": true, "freq_shift": 0, "time_embed_dim": 32, "text_embed_dim": 48, "num_layers": 2,
        "dropout": 0.0, "attention_bias": true, "sample_height": 12, "sample_width": 20, "sample_frames": 17,
        "patch_size": 2, "temporal_compression_ratio": 4, "max_text_seq_length": 16,
        "activation_fn": "gelu-approximate", "timestep_activation_fn": "silu", "norm_elementwise_affine": true,
        "norm_eps": 1e-5, "spatial_interpolation_scale": 1.875, "temporal_interpolation_scale": 1.0,
        "use_rotary_positional_embeddings": true, "use_learned_positional_embeddings": false,
        "pose_embed_width": 24, "pose_proj_hidden": 72
    });
    let vae = json!({
        "in_channels": 3, "out_channels": 3, "block_out_channels": [8, 16, 16, 32], "latent_channels": 16,
        "layers_per_block": 1, "act_fn": "silu", "norm_eps": 1e-6, "norm_num_groups": 8,
        "temporal_compression_ratio": 4, "sample_height": 96, "sample_width": 160, "scaling_factor": 0.7
    });
    let siglip = json!({
        "hidden_size": 24, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_channels": 3, "image_size": 56, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6, "attention_dropout": 0.0
    });
    [
        (TRANSFORMER, "config.json", transformer),
        (VAE, "config.json", vae.clone()),
        (GUIDER, "config.json", vae),
        (SIGLIP, "config.json", siglip),
        (SCHEDULER, "scheduler_config.json", scheduler()),
    ]
}

fn nano() -> [(&'static str, &'static str, Value); 5] {
    let transformer = json!({
        "num_attention_heads": 4, "attention_head_dim": 32, "in_channels": 48, "out_channels": 16,
        "flip_sin_to_cos": true, "freq_shift": 0, "time_embed_dim": 64, "text_embed_dim": 96, "num_layers": 6,
        "dropout": 0.0, "attention_bias": true, "sample_height": 24, "sample_width": 36, "sample_frames": 17,
        "patch_size": 2, "temporal_compression_ratio": 4, "max_text_seq_length": 16,
        "activation_fn": "gelu-approximate", "timestep_activation_fn": "silu", "norm_elementwise_affine": true,
        "norm_eps": 1e-5, "spatial_interpolation_scale": 1.875, "temporal_interpolation_scale": 1.0,
        "use_rotary_positional_embeddings": true, "use_learned_positional_embeddings": false,
        "pose_embed_width": 48, "pose_proj_hidden": 96
    });
    let vae = json!({
        "in_channels": 3, "out_channels": 3, "block_out_channels": [16, 32, 64], "latent_channels": 16,
        "layers_per_block": 1, "act_fn": "silu", "norm_eps": 1e-6, "norm_num_groups": 8,
        "temporal_compression_ratio": 4, "sample_height": 192, "sample_width": 320, "scaling_factor": 0.7
    });
    // A guide clip is a drawing: a quarter of the VAE encoder's weights is enough.
    let mut guider = vae.clone();
    guider["block_out_channels"] = json!([8, 16, 32]);
    let siglip = json!({
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_channels": 3, "image_size": 56, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6, "attention_dropout": 0.0
    });
    [
        (TRANSFORMER, "config.json", transformer),
        (VAE, "config.json", vae),
        (GUIDER, "config.json", guider),
        (SIGLIP, "config.json", siglip),
        (SCHEDULER, "scheduler_config.json", noisier_scheduler()),
    ]
}

/// The noise schedule of the small model, with a thirty-second of the published signal: its latents are smooth from token to token, and
/// through the published noise they say so much that a denoiser would not have to look at its conditions. The transformer says the clean
/// sample: the noise in a velocity is 64 numbers a token, half of what this one has room for.
fn noisier_scheduler() -> Value {
    let mut config = scheduler();
    config["snr_shift_scale"] = json!(32.0);
    config["prediction_type"] = json!("sample");
    config
}

/// The published noise schedule.
fn scheduler() -> Value {
    json!({
        "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "snr_shift_scale": 1.0,
        "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": true, "clip_sample": false
    })
}
