//! One entry for every golden file, and the runner of the whole pipeline.

use std::cell::Cell;

use burn::tensor::Tensor;
use serde::Deserialize;
use skyreels_core::diffusion::{Guidance, SamplerKind, Schedule, SchedulerConfig};
use skyreels_core::golden::{Golden, Report, Tolerance, Values, run_resize, run_scheduler};
use skyreels_core::{Device, Frame, Precision, Progress};
use skyreels_dit::{SiglipConfig, TransformerConfig};
use skyreels_vae::{CausalVae, LandmarkGuider, Tiling, VaeConfig};

use crate::conditioning::{Conditioning, control_latents, identity_tokens, image_latents};
use crate::denoise::{DenoiseSettings, DenoiseStep, Denoiser, NoiseSource};
use crate::pixels::tensor_to_frames;
use crate::{Error, Result};

/// The original's own f32 differs from its f64 by one grey level in a few bytes; so may ours.
const FRAMES_TOLERANCE: Tolerance = Tolerance::Relative(1e-3);

/// Runs a golden file of any known kind and compares every answer in it; `None` when its kind is
/// not known here.
///
/// # Errors
/// Those of reading the file and of building its network.
pub fn run(golden: &Golden, device: &Device) -> Result<Option<Report>> {
    Ok(Some(match golden.kind() {
        "scheduler" => run_scheduler(golden, device)?,
        "preprocess" | "resize" => run_resize(golden)?,
        "vae" => skyreels_vae::golden::run(golden, device)?,
        "dit" | "siglip" | "tables" => skyreels_dit::golden::run(golden, device)?,
        "dit_grad" => skyreels_train::golden::run(golden, device)?,
        kind if skyreels_landmarks::golden::KINDS.contains(&kind) => skyreels_landmarks::golden::run(golden, device)?,
        "pipeline" => run_pipeline(golden, device)?,
        _ => return Ok(None),
    }))
}

#[derive(Deserialize)]
struct Request {
    num_inference_steps: usize,
    guidance_scale: f64,
}

/// Noise as the original drew it: `[steps, draws, ..]`, at a step and a draw.
struct Recorded<'a> {
    draws: Option<Tensor<7>>,
    step: &'a Cell<usize>,
    draw: &'a Cell<usize>,
}

impl NoiseSource for Recorded<'_> {
    fn next(&mut self, shape: [usize; 5], device: &Device) -> Tensor<5> {
        let Some(draws) = &self.draws else { return Tensor::zeros(shape, device) };
        let step: Tensor<6> = draws.clone().narrow(0, self.step.get(), 1).squeeze_dim(0);
        let draw = self.draw.replace(self.draw.get() + 1);
        step.narrow(0, draw, 1).squeeze_dim(0)
    }
}

fn run_pipeline(golden: &Golden, device: &Device) -> Result<Report> {
    let request: Request = golden.config("/pipeline")?;
    let schedule = Schedule::new(&golden.config::<SchedulerConfig>("/scheduler")?)?;
    let vae_config: VaeConfig = golden.config("/vae")?;
    let guider_config: VaeConfig = golden.config("/lmk_encoder")?;
    let load = |prefix: &str| golden.weights(prefix);
    let f32 = Precision::F32;
    let vae = load("vae.").load(CausalVae::new(&vae_config, device)?, f32, Progress::none())?;
    let guider = load("lmk.").load(LandmarkGuider::new(&guider_config, device)?, f32, Progress::none())?;
    let siglip = golden.config::<SiglipConfig>("/siglip")?;
    let siglip = load("siglip.").load(siglip.init(device)?, f32, Progress::none())?;
    let transformer = golden.config::<TransformerConfig>("/dit")?;
    let transformer = load("dit.").load(transformer.init(device)?, f32, Progress::none())?;

    let nobody = Progress::none();
    let guide = frames(&golden.input("control_u8")?);
    let control = control_latents(&guider, &guide, Tiling::Off, device, nobody)?;
    let [_, latent_frames, ..] = control.dims();
    let portrait = frames(&golden.input("image_u8")?).remove(0);
    let image_noise = golden.input("image_noise")?.tensor(device);
    let image = image_latents(&vae, &portrait, latent_frames, image_noise, Tiling::Off, nobody)?;
    let identity = identity_tokens(&siglip, &frames(&golden.input("face_u8")?).remove(0), device, nobody)?;

    let mut report = Report::new(golden);
    report.compare(golden, "control_latents", control.clone())?;
    report.compare(golden, "image_latents", image.clone())?;
    report.compare(golden, "image_embeds", identity.clone())?;

    let draws = if golden.has_input("dpm_noise") && golden.outputs().contains(&"frames".to_string()) {
        Some(golden.input("dpm_noise")?.tensor(device))
    } else {
        None
    };
    let settings = DenoiseSettings {
        steps: request.num_inference_steps,
        guidance: Guidance::Constant(request.guidance_scale),
        sampler: if draws.is_some() { SamplerKind::Dpm } else { SamplerKind::Ddim },
        batched_guidance: false,
    };
    let noise = golden.input("init_noise")?.tensor(device);
    let conditioning = Conditioning { control, image, identity };
    let (step, draw) = (Cell::new(0), Cell::new(0));
    let mut source = Recorded { draws, step: &step, draw: &draw };
    let (mut first, mut trajectory) = (None, Vec::new());
    let on_step = |done: &DenoiseStep| {
        first.get_or_insert_with(|| done.prediction.clone());
        trajectory.push(done.latents.clone());
        step.set(done.index + 1);
        draw.set(0);
        Ok(())
    };
    let denoiser = Denoiser { transformer: &transformer, schedule: &schedule, settings };
    let latents = denoiser.run(&conditioning, noise, &mut source, on_step, Progress::none())?;
    let first = first.ok_or_else(|| Error::request("steps", "the golden file has none"))?;
    report.compare(golden, "noise_pred_step0", first)?;
    report.compare(golden, "latents", Tensor::stack::<6>(trajectory, 0))?;
    let video = vae.decode(vae.unscale(latents.swap_dims(1, 2)), Tiling::Off, nobody)?;
    report.compare(golden, "video", video.clone())?;
    let shown: Tensor<5> = video.clone().mul_scalar(0.5).add_scalar(0.5).clamp(0.0, 1.0).swap_dims(1, 2);
    report.compare(golden, "frames", shown)?;
    let pictures = tensor_to_frames(video)?;
    let bytes: Vec<f64> = pictures.iter().flat_map(|frame| frame.as_raw()).map(|byte| f64::from(*byte)).collect();
    let (width, height) = pictures[0].dimensions();
    let shape = [1, pictures.len(), height as usize, width as usize, 3];
    report.compare_values(golden, "frames_u8", &shape, &bytes, FRAMES_TOLERANCE)?;
    Ok(report.finish(golden))
}

/// `[frames, height, width, 3]` or `[height, width, 3]` bytes as pictures.
fn frames(values: &Values) -> Vec<Frame> {
    let [.., height, width, channels] = values.shape[..] else { return Vec::new() };
    let bytes: Vec<u8> = values.data.iter().map(|value| *value as u8).collect();
    bytes
        .chunks(height * width * channels)
        .filter_map(|picture| Frame::from_raw(width as u32, height as u32, picture.to_vec()))
        .collect()
}
