//! Less work for the same picture: what each way saves, and how far its frames are from those of the full run.
//!
//! `cargo run --release -p skyreels-benches --bin reuse -- [--model DIR] [--device D] [--precision P] [--steps N]
//! [--conditioning FILE]`. Without a model, random weights of the nano preset stand in, and the column of quality says
//! nothing about pictures. `--conditioning` is `conditioning.safetensors` of `skyreels animate --keep-intermediates`;
//! without it, a drawn portrait performs a drawn motion.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use skyreels::core::diffusion::{Guidance, NoiseGenerator, SamplerKind};
use skyreels::core::{Device, Frame, Limits, Precision, Progress, keep_freed_memory, open_device};
use skyreels::landmarks::{CropBox, LEADING_FRAMES, PortraitFace, synthetic};
use skyreels::{
    Animator, AnimatorOptions, BlockWeights, Conditioning, DenoiseSettings, ModelDir, Portrait, Preset, ReuseSettings,
    WorkCounts, read_conditioning,
};

/// Seed of the noise, the same for every variant.
const SEED: u64 = 43;
/// Frames per second of the drawn motion.
const RATE: f64 = 12.0;

struct Arguments {
    model: Option<PathBuf>,
    device: String,
    precision: Precision,
    steps: usize,
    conditioning: Option<PathBuf>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let usage = "reuse [--model DIR] [--device D] [--precision P] [--steps N] [--conditioning FILE]";
    let mut parsed = Arguments {
        model: None,
        device: "cpu".into(),
        precision: Precision::F32,
        steps: DenoiseSettings::default().steps,
        conditioning: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(usage)?;
        match name.as_str() {
            "--model" => parsed.model = Some(value.into()),
            "--device" => parsed.device = value,
            "--precision" => parsed.precision = value.parse()?,
            "--steps" => parsed.steps = value.parse()?,
            "--conditioning" => parsed.conditioning = Some(value.into()),
            _ => return Err(usage.into()),
        }
    }
    if parsed.steps < 4 {
        return Err("--steps must be 4 or more for there to be steps to save".into());
    }
    Ok(parsed)
}

/// One way to make the clip.
struct Variant {
    name: String,
    denoise: DenoiseSettings,
    blocks: BlockWeights,
}

/// The full run first, then every way to save, then what fewer steps give for the same saving.
fn variants(steps: usize) -> Result<Vec<Variant>, Box<dyn Error>> {
    let full = DenoiseSettings { steps, guidance: Guidance::Constant(3.0), ..DenoiseSettings::default() };
    let mut variants =
        vec![Variant { name: format!("full, DDIM, {steps} steps"), denoise: full, blocks: BlockWeights::Full }];
    let mut add = |name: String, denoise| variants.push(Variant { name, denoise, blocks: BlockWeights::Full });
    let with = |reuse| DenoiseSettings { reuse, ..full };
    let (quarter, half) = (steps / 4, steps / 2);
    for [first, end] in [[half, steps], [quarter, steps - quarter], [1, steps]] {
        let range = format!("{first}..{end}");
        let reuse = ReuseSettings { reuse_unconditional: Some(range.parse()?), ..ReuseSettings::default() };
        add(format!("--reuse-unconditional {range}"), with(reuse));
    }
    for [first, end] in [[0, half], [half, steps]] {
        let range = format!("{first}..{end}");
        let reuse = ReuseSettings { skip_unconditional: Some(range.parse()?), ..ReuseSettings::default() };
        add(format!("--skip-unconditional {range}"), with(reuse));
    }
    for threshold in [0.04, 0.08, 0.12, 0.2, 0.4] {
        let reuse = ReuseSettings { block_cache: Some(threshold), ..ReuseSettings::default() };
        add(format!("--block-cache {threshold}"), with(reuse));
    }
    let range = format!("{half}..{steps}");
    let reuse = ReuseSettings {
        reuse_unconditional: Some(range.parse()?),
        block_cache: Some(0.08),
        ..ReuseSettings::default()
    };
    add(format!("--reuse-unconditional {range} --block-cache 0.08"), with(reuse));
    for (sampler, fewer) in [(SamplerKind::Dpm, steps), (SamplerKind::Dpm, half), (SamplerKind::Ddim, half)] {
        let name = if sampler == SamplerKind::Dpm { "DPM" } else { "DDIM" };
        add(format!("{name}, {fewer} steps"), DenoiseSettings { steps: fewer, sampler, ..full });
    }
    variants.push(Variant { name: "--int8".into(), denoise: full, blocks: BlockWeights::Int8 });
    Ok(variants)
}

fn main() -> Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let arguments = arguments()?;
    let device = open_device(&arguments.device)?;
    let scratch = tempfile::tempdir()?;
    let path = match &arguments.model {
        Some(path) => path.clone(),
        None => {
            Preset::Nano.write(scratch.path(), 0, &device, Progress::none())?;
            println!("random weights: times count, PSNR says nothing about pictures\n");
            scratch.path().to_path_buf()
        }
    };
    let model = ModelDir::open(path, &Limits::default())?;
    let conditioning = match &arguments.conditioning {
        Some(path) => read_conditioning(path, &device)?,
        None => drawn(&model, &device, arguments.precision)?,
    };
    println!("| variant | denoise, s | of full | passes | blocks | PSNR to full, dB |");
    println!("|---|---|---|---|---|---|");
    let mut full: Option<(f64, Vec<Frame>)> = None;
    let variants = variants(arguments.steps)?;
    if let Some(Variant { denoise, blocks, .. }) = variants.first() {
        // Memory, caches and a card's kernels are ready for all of them then.
        run(&model, &device, &conditioning, arguments.precision, *denoise, *blocks)?;
    }
    for Variant { name, denoise, blocks } in variants {
        let (seconds, work, frames) = run(&model, &device, &conditioning, arguments.precision, denoise, blocks)?;
        let (all, reference) = full.get_or_insert_with(|| (seconds, frames.clone()));
        let quality = psnr(&frames, reference)?;
        println!(
            "| {name} | {seconds:.3} | {:.2} | {} | {} | {quality:.2} |",
            seconds / *all,
            work.passes,
            work.blocks
        );
    }
    Ok(())
}

/// Conditions made by the model's own networks from a drawn portrait and a drawn motion.
fn drawn(model: &ModelDir, device: &Device, precision: Precision) -> Result<Conditioning, Box<dyn Error>> {
    let animator = Animator::new(model, device, AnimatorOptions { precision, ..AnimatorOptions::default() })?;
    let [width, height] = animator.canvas();
    let (picture, face) = synthetic::portrait(width, height, 1)?;
    let face = PortraitFace::new(&face, [width, height])?;
    let portrait = Portrait::new(picture, CropBox { x: 0, y: 0, width, height }, face)?;
    let motion = synthetic::performance(animator.driving_frames(), RATE, 1)?;
    let (guide, _) = animator.guide(&portrait, &motion, Progress::none())?;
    Ok(animator.condition(&portrait, &guide, &mut NoiseGenerator::new(SEED), Progress::none())?)
}

/// Seconds of the denoising without the load, what it computed, and the frames.
fn run(
    model: &ModelDir,
    device: &Device,
    conditioning: &Conditioning,
    precision: Precision,
    denoise: DenoiseSettings,
    blocks: BlockWeights,
) -> Result<(f64, WorkCounts, Vec<Frame>), Box<dyn Error>> {
    let [_, latent_frames, _, height, width] = conditioning.control.dims();
    let ratio = model.vae.spatial_compression_ratio();
    let frames = (latent_frames - 1) * model.vae.temporal_compression_ratio + 1;
    let size = Some([frames, height * ratio, width * ratio]);
    let options = AnimatorOptions { size, precision, denoise, blocks, ..AnimatorOptions::default() };
    let animator = Animator::new(model, device, options)?;
    // The first report of the stage comes when everything is loaded.
    let clock = std::sync::Mutex::new((None, Instant::now()));
    let watch = |event: skyreels::core::Event| {
        let mut clock = clock.lock().expect("nobody panics with the clock in hand");
        if event.stage == "denoise" {
            clock.0.get_or_insert_with(Instant::now);
            clock.1 = Instant::now();
        }
        std::ops::ControlFlow::Continue(())
    };
    let mut noise = NoiseGenerator::new(SEED);
    let denoised = animator.denoise(conditioning, &mut noise, Progress::new(&watch))?;
    let (start, end) = *clock.lock().expect("nobody panics with the clock in hand");
    let seconds = start.map_or(0.0, |start| (end - start).as_secs_f64());
    let frames = animator.decode(denoised.latents, Progress::none())?;
    Ok((seconds, denoised.work, frames.into_iter().skip(LEADING_FRAMES).collect()))
}

/// Peak signal-to-noise ratio over all pixels of a clip; infinite for equal clips.
fn psnr(clip: &[Frame], reference: &[Frame]) -> Result<f64, Box<dyn Error>> {
    let mut error = 0.0;
    for (frame, truth) in clip.iter().zip(reference) {
        error += 10f64.powf(-skyreels_eval::psnr(frame, truth)? / 10.0);
    }
    Ok(-10.0 * (error / clip.len() as f64).log10())
}
