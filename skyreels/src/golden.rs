//! One entry for every golden file, and the runner of the whole pipeline.

use std::cell::Cell;

use burn::tensor::Tensor;
use serde::Deserialize;
use skyreels_core::diffusion::{Guidance, SamplerKind, Schedule, SchedulerConfig};
use skyreels_core::golden::{Golden, Report, Tolerance, run_resize, run_scheduler};
use skyreels_core::resize::{Filter, resize_pillow};
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
        kind if skyreels_train::golden::KINDS.contains(&kind) => skyreels_train::golden::run(golden, device)?,
        kind if skyreels_landmarks::golden::KINDS.contains(&kind) => skyreels_landmarks::golden::run(golden, device)?,
        kind if skyreels_eval::golden::KINDS.contains(&kind) => skyreels_eval::golden::run(golden, device)?,
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
    let guide = golden.pictures("control_u8")?;
    let control = control_latents(&guider, &guide, Tiling::Off, device, nobody)?;
    let [_, latent_frames, ..] = control.dims();
    let portrait = picture(golden, "image_u8")?;
    let image_noise = golden.tensor("image_noise", device)?;
    let image = image_latents(&vae, &portrait, latent_frames, image_noise, Tiling::Off, nobody)?;
    let face = picture(golden, "face_u8")?;
    let identity = identity_tokens(&siglip, &face, device, nobody)?;

    let mut report = Report::new(golden);
    report.compare(golden, "control_latents", control.clone())?;
    report.compare(golden, "image_latents", image.clone())?;
    // What the original computed on its way to the transformer stands among the inputs.
    let side = siglip.config().image_size as u32;
    let seen = siglip.config().pixel_values(&resize_pillow(&face, side, side, Filter::Bicubic)?, device)?;
    report.compare_input(golden, "siglip_pixel_values", seen)?;
    report.compare_input(golden, "image_embeds", identity.clone())?;

    let noise: Tensor<5> = golden.tensor("init_noise", device)?;
    let draws = recorded_draws(golden, request.num_inference_steps, noise.dims(), device)?;
    let settings = DenoiseSettings {
        steps: request.num_inference_steps,
        guidance: Guidance::Constant(request.guidance_scale),
        sampler: if draws.is_some() { SamplerKind::Dpm } else { SamplerKind::Ddim },
        ..DenoiseSettings::default()
    };
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
    let latents = denoiser.run(&conditioning, noise, &mut source, on_step, Progress::none())?.latents;
    let first = first.ok_or_else(|| Error::request("steps", "the golden file has none"))?;
    report.compare(golden, "noise_pred_step0", first)?;
    report.compare(golden, "latents", Tensor::stack::<6>(trajectory, 0))?;
    let video = vae.decode(vae.unscale(latents.swap_dims(1, 2)), Tiling::Off, nobody)?;
    report.compare(golden, "video", video.clone())?;
    let shown: Tensor<5> = video.clone().mul_scalar(0.5).add_scalar(0.5).clamp(0.0, 1.0).swap_dims(1, 2);
    report.compare(golden, "frames", shown)?;
    let pictures = tensor_to_frames(video)?;
    let bytes: Vec<f64> = pictures.iter().flat_map(|frame| frame.as_raw()).map(|byte| f64::from(*byte)).collect();
    let (width, height) = pictures.first().map_or((0, 0), Frame::dimensions);
    let shape = [1, pictures.len(), height as usize, width as usize, 3];
    report.compare_values(golden, "frames_u8", &shape, &bytes, FRAMES_TOLERANCE)?;
    Ok(report.finish(golden))
}

/// The noise that the original drew, when the file is of a run with the DPM sampler: that is so when the file itself
/// holds the draws. A file that only shares the inputs of such a run is one of DDIM.
fn recorded_draws(golden: &Golden, steps: usize, sample: [usize; 5], device: &Device) -> Result<Option<Tensor<7>>> {
    const NAME: &str = "dpm_noise";
    if !golden.owns_input(NAME) {
        return Ok(None);
    }
    let draws: Tensor<7> = golden.tensor(NAME, device)?;
    let [stored, per_step, shape @ ..] = draws.dims();
    // The first step draws once, the others up to twice.
    if stored < steps || per_step < steps.min(2) || shape != sample {
        let reason = format!("input `{NAME}` is {:?}, not {steps} steps of two draws of {sample:?}", draws.dims());
        return Err(malformed(golden, reason));
    }
    Ok(Some(draws))
}

fn picture(golden: &Golden, name: &str) -> Result<Frame> {
    let [picture] = <[Frame; 1]>::try_from(golden.pictures(name)?)
        .map_err(|pictures| malformed(golden, format!("input `{name}` holds {} pictures, not one", pictures.len())))?;
    Ok(picture)
}

fn malformed(golden: &Golden, reason: String) -> Error {
    skyreels_core::Error::malformed(golden.path(), "golden file", reason).into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use safetensors::SafeTensors;

    use super::*;

    const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden");

    /// Copies a golden file without the tensors whose names begin as `without` says.
    fn copy(name: &str, without: &str, folder: &Path) {
        std::fs::copy(format!("{SHARED}/{name}.json"), folder.join(format!("{name}.json"))).unwrap();
        let bytes = std::fs::read(format!("{SHARED}/{name}.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let kept = tensors.iter().filter(|(key, _)| !key.starts_with(without));
        std::fs::write(folder.join(format!("{name}.safetensors")), safetensors::serialize(kept, None).unwrap())
            .unwrap();
    }

    #[test]
    fn a_dpm_file_is_one_by_its_noise_whatever_answers_it_holds() {
        if !Path::new(SHARED).exists() {
            println!("skipped: {SHARED} is absent");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        copy("pipeline_ddim", "out.", folder.path());
        copy("pipeline_dpm", "out.frames", folder.path());
        let device = skyreels_core::open_device("cpu").unwrap();
        let golden = Golden::open(folder.path().join("pipeline_dpm.json")).unwrap();
        let report = run(&golden, &device).unwrap().unwrap();
        let compared = |name: &str| report.rows.iter().any(|row| row.tensor == name);
        assert!(report.passed(), "{report}");
        assert!(compared("latents") && compared("in.image_embeds") && compared("in.siglip_pixel_values"), "{report}");
    }

    #[test]
    fn noise_of_another_shape_than_the_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let noise = [0_u8; 4 * 6];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![3, 2, 1, 1, 1, 1, 1], &noise);
        let tensors = safetensors::serialize([("in.dpm_noise", view.unwrap())], None).unwrap();
        std::fs::write(folder.path().join("x.safetensors"), tensors).unwrap();
        std::fs::write(folder.path().join("x.json"), r#"{"kind": "pipeline", "name": "x"}"#).unwrap();
        let golden = Golden::open(folder.path().join("x.json")).unwrap();
        let device = skyreels_core::open_device("cpu").unwrap();
        assert!(recorded_draws(&golden, 3, [1; 5], &device).unwrap().is_some());
        for (steps, sample) in [(4, [1; 5]), (3, [1, 1, 1, 1, 2])] {
            let message = recorded_draws(&golden, steps, sample, &device).unwrap_err().to_string();
            assert!(message.contains("x.json") && message.contains("dpm_noise"), "{message}");
        }
    }
}
