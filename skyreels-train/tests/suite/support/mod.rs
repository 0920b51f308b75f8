//! Small models on disk, and clips of rendered people.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use skyreels_core::Precision;
use skyreels_core::checkpoint::{Key, Published, PublishedVisitor, SHARD_BYTES, fill, initial_values, save};
use skyreels_core::diffusion::{Schedule, SchedulerConfig};
use skyreels_dit::{SiglipConfig, TransformerConfig};
use skyreels_train::data::{Dataset, RenderedWorld};
use skyreels_train::diffusion::{
    Batch, Denoising, DiffusionSettings, DiffusionTask, Dropout, Encoder, Noise, Parts, Sampling,
};
use skyreels_train::loss::Objective;
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling, VaeConfig};

/// Frames, height and width of the clips.
pub const SIZE: [usize; 3] = [9, 64, 64];

pub fn transformer() -> TransformerConfig {
    serde_json::from_value(json!({
        "num_attention_heads": 2, "attention_head_dim": 16, "in_channels": 24, "out_channels": 8,
        "flip_sin_to_cos": true, "freq_shift": 0, "time_embed_dim": 32, "text_embed_dim": 32, "num_layers": 2,
        "dropout": 0.0, "attention_bias": true, "sample_height": 8, "sample_width": 8, "sample_frames": 9,
        "patch_size": 2, "temporal_compression_ratio": 4, "max_text_seq_length": 16,
        "activation_fn": "gelu-approximate", "timestep_activation_fn": "silu", "norm_elementwise_affine": true,
        "norm_eps": 1e-5, "spatial_interpolation_scale": 1.875, "temporal_interpolation_scale": 1.0,
        "use_rotary_positional_embeddings": true, "use_learned_positional_embeddings": false,
        "pose_embed_width": 24, "pose_proj_hidden": 48
    }))
    .unwrap()
}

pub fn vae() -> VaeConfig {
    serde_json::from_value(json!({
        "in_channels": 3, "out_channels": 3, "block_out_channels": [8, 8, 8, 16], "latent_channels": 8,
        "layers_per_block": 1, "act_fn": "silu", "norm_eps": 1e-6, "norm_num_groups": 4,
        "temporal_compression_ratio": 4, "sample_height": 128, "sample_width": 128, "scaling_factor": 0.7
    }))
    .unwrap()
}

fn siglip() -> SiglipConfig {
    serde_json::from_value(siglip_json()).unwrap()
}

fn siglip_json() -> Value {
    json!({
        "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_channels": 3, "image_size": 28, "patch_size": 14, "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6, "attention_dropout": 0.0
    })
}

pub fn schedule_json() -> Value {
    json!({
        "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "snr_shift_scale": 1.0,
        "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": true, "clip_sample": false
    })
}

pub fn schedule() -> Schedule {
    let config: SchedulerConfig = serde_json::from_value(schedule_json()).unwrap();
    Schedule::new(&config).unwrap()
}

/// Random weights: normal with variance `1 / fan_in`, norms the identity.
pub fn random<M: Published>(module: M, seed: u64, precision: Precision) -> M {
    fill(module, precision, |key, shape| initial_values(seed, key, shape))
}

/// Transformer and guider on `device`.
pub fn networks(device: &Device, precision: Precision) -> Denoising {
    Denoising {
        transformer: random(transformer().init(device).unwrap(), 1, precision),
        pose_guider: random(LandmarkGuider::new(&vae(), device).unwrap(), 2, precision),
    }
}

/// A random model in the published layout.
pub fn write_model(directory: &Path) {
    let device = Device::flex();
    let folder = |name: &str, file: &str, config: Value| {
        let folder = directory.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), serde_json::to_vec(&config).unwrap()).unwrap();
        folder
    };
    let network = networks(&device, Precision::F32).transformer;
    // As published: with a decoder that nothing uses.
    let pose_guider = random(CausalVae::new(&vae(), &device).unwrap(), 2, Precision::F32);
    let stem = "diffusion_pytorch_model";
    let vae_json = || serde_json::to_value(vae()).unwrap();
    let place = folder("transformer", "config.json", serde_json::to_value(transformer()).unwrap());
    save(&network, &place, stem, SHARD_BYTES).unwrap();
    save(&pose_guider, &folder("pose_guider", "config.json", vae_json()), stem, SHARD_BYTES).unwrap();
    let own = random(CausalVae::new(&vae(), &device).unwrap(), 3, Precision::F32);
    save(&own, &folder("vae", "config.json", vae_json()), stem, SHARD_BYTES).unwrap();
    let tower = random(siglip().init(&device).unwrap(), 4, Precision::F32);
    save(&tower, &folder("siglip-so400m-patch14-384", "config.json", siglip_json()), "model", SHARD_BYTES).unwrap();
    folder("scheduler", "scheduler_config.json", schedule_json());
}

/// What belongs to the model that [`write_model`] writes.
pub fn parts(base: &Path, precision: Precision) -> Parts {
    let device = Device::flex();
    Parts {
        vae: random(CausalVae::new(&vae(), &device).unwrap(), 3, Precision::F32),
        siglip: random(siglip().init(&device).unwrap(), 4, Precision::F32),
        schedule: schedule(),
        transformer: transformer(),
        guider: vae(),
        base: base.to_path_buf(),
        precision,
    }
}

pub fn world(identities: u64, clips: u64) -> RenderedWorld {
    RenderedWorld { flow: true, ..RenderedWorld::new(SIZE, identities, clips) }
}

pub fn settings() -> DiffusionSettings {
    let sampling = Sampling { examples: 1, steps: 2, guidance: 1.5 };
    DiffusionSettings { held_out: 4, sampling, cache_megabytes: 500, ..DiffusionSettings::default() }
}

/// A task on the model in `base`, and its networks.
pub fn task<'a>(base: &Path, data: &'a RenderedWorld, held_out: &'a RenderedWorld) -> (DiffusionTask<'a>, Denoising) {
    let parts = parts(base, Precision::F32);
    let task = DiffusionTask::new(parts, settings(), data, Some(held_out), 7, &Device::flex()).unwrap();
    let networks = task.networks(base).unwrap();
    (task, networks)
}

/// The bytes of every parameter.
pub fn bytes<M: Published>(model: &M) -> BTreeMap<String, Vec<u8>> {
    struct Reader(BTreeMap<String, Vec<u8>>);
    impl PublishedVisitor for Reader {
        fn visit<const D: usize>(&mut self, key: &Key, param: &Param<Tensor<D>>) {
            self.0.insert(key.as_str().to_string(), param.val().into_data().into_bytes().to_vec());
        }
    }
    let mut reader = Reader(BTreeMap::new());
    model.visit_published(&mut reader);
    reader.0
}

/// One rendered example for a frozen guider.
pub fn batch() -> Batch {
    let device = Device::flex();
    let parts = parts(Path::new("."), Precision::F32);
    let guider = networks(&device, Precision::F32).pose_guider;
    let encoder = Encoder {
        vae: &parts.vae,
        siglip: &parts.siglip,
        guider: Some(&guider),
        face_aware: None,
        tiling: Tiling::Off,
    };
    let example = (0, encoder.encode(&world(1, 1).example(0).unwrap(), &device).unwrap());
    let schedule = schedule();
    let noise = Noise::new(5);
    Batch::draw(&[example], &Objective::new(&schedule), &schedule, &Dropout::default(), noise, &device).unwrap()
}
