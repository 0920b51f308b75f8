//! The cases, by the names the peer has for them.

use std::collections::BTreeMap;
use std::error::Error;

use burn::tensor::{DType, Tensor, TensorData};
use serde_json::json;
use skyreels_core::checkpoint::{Published, fill};
use skyreels_core::diffusion::{Schedule, SchedulerConfig};
use skyreels_core::{Device, Precision, Progress};
use skyreels_dit::{SiglipConfig, TransformerConfig};
use skyreels_train::diffusion::{Batch, Control, Denoising, Loss, Recompute, loss_and_gradients};
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling, VaeConfig, decode_flops, encode_flops};

use crate::hashed;

/// Index of the first input tensor in the hash.
const FIRST_INPUT: u32 = 1000;

/// A piece of work that the peer has too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// One transformer forward: 1920 patches and 729 identity tokens, 8 layers of 512.
    DitForward,
    /// The same forward, the mean squared error to a target, and gradients of all parameters.
    DitTrain,
    /// Encoding of 9 frames of 96x144.
    VaeEncode,
    /// Decoding of 3 latent frames to 9 frames of 96x144.
    VaeDecode,
    /// SigLIP base, one picture of 224x224.
    SiglipForward,
}

/// Frames, height and width of the VAE's clip in pixels.
const CLIP: [usize; 3] = [9, 96, 144];
/// Frames, height and width of the transformer's latents.
const LATENTS: [usize; 3] = [5, 32, 48];
/// Channels of the latents.
const CHANNELS: usize = 16;
/// Identity tokens of the transformer.
const IDENTITY: usize = 729;
/// The gradient that the peer prints too.
const SHOWN_GRADIENT: &str = "transformer.transformer_blocks.0.attn1.to_q.weight";

/// All cases with their names.
pub const CASES: [(&str, Case); 5] = [
    ("dit_forward", Case::DitForward),
    ("dit_train", Case::DitTrain),
    ("vae_encode", Case::VaeEncode),
    ("vae_decode", Case::VaeDecode),
    ("siglip_forward", Case::SiglipForward),
];

impl Case {
    /// Floating-point operations, two per multiply and add; matrix products and convolutions only.
    fn flops(self) -> Result<u64> {
        let [frames, height, width] = CLIP;
        Ok(match self {
            Self::DitForward => dit()?.flops(1, LATENTS, IDENTITY)?,
            // Gradients of a product are two products.
            Self::DitTrain => 3 * Self::DitForward.flops()?,
            Self::VaeEncode => encode_flops(&vae_config()?, frames, height, width),
            Self::VaeDecode => decode_flops(&vae_config()?, frames, height, width),
            Self::SiglipForward => siglip()?.flops(),
        })
    }
}

/// A model with its input, ready to run.
pub struct Work {
    run: Box<dyn Fn() -> Result<Vec<TensorData>>>,
    flops: u64,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Work {
    /// Builds the model and the input of a case.
    ///
    /// # Errors
    /// Those of the networks; none is expected.
    pub fn new(case: Case, device: &Device) -> Result<Self> {
        let run: Box<dyn Fn() -> Result<Vec<TensorData>>> = match case {
            Case::DitForward => {
                let config = dit()?;
                let [frames, height, width] = LATENTS;
                let rotary = config.rotary(frames, height, width, device)?;
                let model = filled(config.init(device)?);
                let (latents, identity) = (dit_latents(device), dit_identity(device));
                Box::new(move || one(model.forward(latents.clone(), identity.clone(), &[500], &rotary)?))
            }
            Case::DitTrain => {
                let (model, batch) = (denoising(device)?, batch(device));
                let schedule = schedule()?;
                Box::new(move || {
                    let loss = Loss::from(&schedule);
                    let (loss, gradients) = loss_and_gradients(&model, &batch, &loss, Recompute::Scores)?;
                    let gradient = gradients.get(SHOWN_GRADIENT).ok_or("a gradient is missing")?;
                    Ok(vec![TensorData::from([loss as f32]), gradient.into_data()])
                })
            }
            Case::VaeEncode => {
                let [frames, height, width] = CLIP;
                let (model, frames) = (vae(device)?, input(0, [1, 3, frames, height, width], device));
                Box::new(move || one(model.encode(frames.clone(), Tiling::Off, Progress::none())?.mean))
            }
            Case::VaeDecode => {
                let (model, latents) = (vae(device)?, input(0, [1, 16, 3, 12, 18], device));
                Box::new(move || one(model.decode(latents.clone(), Tiling::Off, Progress::none())?))
            }
            Case::SiglipForward => {
                let model = filled(siglip()?.init_with_head(device)?);
                let pixels: Tensor<4> = input(0, [1, 3, 224, 224], device);
                Box::new(move || one(model.forward(pixels.clone())?))
            }
        };
        Ok(Self { run, flops: case.flops()? })
    }

    /// Floating-point operations of the work, as the model's configuration counts them.
    pub fn flops(&self) -> u64 {
        self.flops
    }

    /// Does the work once and returns its results, row-major: of training the loss and a gradient, else one.
    ///
    /// # Errors
    /// Those of the networks; none is expected.
    pub fn run(&self) -> Result<Vec<Vec<f32>>> {
        let values = |data: TensorData| Ok(data.try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?);
        (self.run)()?.into_iter().map(values).collect()
    }
}

fn one<const D: usize>(result: Tensor<D>) -> Result<Vec<TensorData>> {
    Ok(vec![result.into_data()])
}

fn dit_latents(device: &Device) -> Tensor<5> {
    let [frames, height, width] = LATENTS;
    input(0, [1, frames, 3 * CHANNELS, height, width], device)
}

fn dit_identity(device: &Device) -> Tensor<3> {
    input(1, [1, IDENTITY, 1152], device)
}

/// The transformer under training, beside a guider that takes no part.
fn denoising(device: &Device) -> Result<Denoising> {
    let device = device.clone().autodiff();
    Ok(Denoising {
        transformer: filled(dit()?.init(&device)?),
        pose_guider: LandmarkGuider::new(&vae_config()?, &device)?,
    })
}

/// The published schedule: where errors are measured on the velocity, it says only that the network says velocities too.
fn schedule() -> Result<Schedule> {
    let config: SchedulerConfig = serde_json::from_value(json!({
        "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "snr_shift_scale": 1.0,
        "timestep_spacing": "trailing", "steps_offset": 0, "set_alpha_to_one": true, "clip_sample": false
    }))?;
    Ok(Schedule::new(&config)?)
}

/// What [`Case::DitForward`] is shown, and the peer's target.
fn batch(device: &Device) -> Batch {
    let [frames, height, width] = LATENTS;
    let latents = dit_latents(device);
    let part = |index: usize| latents.clone().narrow(2, index * CHANNELS, CHANNELS);
    Batch {
        noisy: part(0),
        control: Control::Latents(part(1)),
        image: part(2),
        identity: dit_identity(device),
        timesteps: vec![500],
        target: input(2, [1, frames, CHANNELS, height, width], device),
        weights: Tensor::ones([1, frames, 1, height, width], (device, DType::F32)),
    }
}

fn dit() -> Result<TransformerConfig> {
    Ok(serde_json::from_value(json!({
        "num_attention_heads": 8, "attention_head_dim": 64, "in_channels": 48, "out_channels": 16,
        "flip_sin_to_cos": true, "freq_shift": 0, "time_embed_dim": 512, "text_embed_dim": 1024, "num_layers": 8,
        "dropout": 0.0, "attention_bias": true, "sample_width": 48, "sample_height": 32, "sample_frames": 17,
        "patch_size": 2, "temporal_compression_ratio": 4, "max_text_seq_length": 729,
        "activation_fn": "gelu-approximate", "timestep_activation_fn": "silu", "norm_elementwise_affine": true,
        "norm_eps": 1e-5, "spatial_interpolation_scale": 1.875, "temporal_interpolation_scale": 1.0,
        "use_rotary_positional_embeddings": true, "use_learned_positional_embeddings": false,
        "pose_embed_width": 1152, "pose_proj_hidden": 3456
    }))?)
}

fn vae(device: &Device) -> Result<CausalVae> {
    Ok(filled(CausalVae::new(&vae_config()?, device)?))
}

fn vae_config() -> Result<VaeConfig> {
    Ok(serde_json::from_value(json!({
        "in_channels": 3, "out_channels": 3, "block_out_channels": [32, 64, 64, 128], "latent_channels": 16,
        "layers_per_block": 3, "act_fn": "silu", "norm_eps": 1e-6, "norm_num_groups": 32,
        "temporal_compression_ratio": 4, "sample_height": 480, "sample_width": 720, "scaling_factor": 0.7
    }))?)
}

fn siglip() -> Result<SiglipConfig> {
    Ok(serde_json::from_value(json!({
        "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
        "num_channels": 3, "image_size": 224, "patch_size": 16, "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6, "attention_dropout": 0.0
    }))?)
}

/// The peer's weights: the j-th parameter in order of names is `1 + 0.1 u` for the scale of a norm,
/// `0.02 u` for a bias, else `u sqrt(3 / fan_in)`.
fn filled<M: Published>(model: M) -> M {
    let order: BTreeMap<String, u32> = model.published_shapes().into_keys().zip(0..).collect();
    fill(model, Precision::F32, |key, shape| {
        let count = shape.iter().product();
        let scale = if shape.len() == 1 && key.ends_with("weight") {
            0.1
        } else if key.ends_with("bias") {
            0.02
        } else {
            (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt()
        };
        let offset = if shape.len() == 1 && key.ends_with("weight") { 1.0 } else { 0.0 };
        hashed(count, order[key]).map(|u| (offset + u * scale) as f32).collect()
    })
}

/// Input number `index`, of unit variance.
fn input<const D: usize>(index: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> =
        hashed(shape.iter().product(), FIRST_INPUT + index).map(|u| (u * 3f64.sqrt()) as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

/// What two results are compared by; NaN of none.
pub fn root_mean_square(values: &[f32]) -> f64 {
    (values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Load of the machine over the last minute.
pub fn load_average() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
