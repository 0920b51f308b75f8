//! `skyreels animate`.

use std::path::Path;

use serde_json::json;
use skyreels::animate::RATE;
use skyreels::core::checkpoint::Lora;
use skyreels::core::diffusion::Guidance;
use skyreels::core::media::{ClipWriter, Quality, Sound, VideoOptions, check_clip_target};
use skyreels::core::output::OutputFile;
use skyreels::core::resize::fit;
use skyreels::core::{Frame, Limits, open_device};
use skyreels::vae::Tiling;
use skyreels::{
    Animation, Animator, AnimatorOptions, DenoiseSettings, Intermediates, ModelDir, Portrait, Retargeting,
    available_memory,
};

use super::args::{Animate, LoraFile, TilingChoice};
use super::row::row;
use super::source::{self, Performance, request};
use super::{Outcome, Reporter, Result, nano};

const MIB: u64 = 1 << 20;

pub fn run(args: &Animate, reporter: &Reporter) -> Result {
    // An hour of denoising must not end at an output that cannot be written.
    let format = check_clip_target(&args.output, RATE)?;
    let options = VideoOptions { quality: Quality::new(args.quality)?, ..VideoOptions::default() };
    let edit = args.controls.to_edit()?;
    let device = open_device(&args.compute.device)?;
    let (model, _scratch) = nano::open(args.model.as_deref(), reporter)?;
    let model = with_loras(model, &args.lora)?;
    let keep = args.keep_intermediates.as_ref().map(Intermediates::create).transpose()?;
    let (smirk, retargeting) = args.moving.open(&device)?;
    let mut run_options = animator_options(args, &model, retargeting, keep)?;
    let available = args.memory.map(|mib| mib.saturating_mul(MIB)).or_else(|| available_memory(&device));
    if args.fit {
        let unknown =
            || request("fit", "the memory of this device is not known here; name it with `--memory MIB`".into());
        let (fitted, made) = run_options.fitted(&model, &device, available.ok_or_else(unknown)?)?;
        run_options = fitted;
        if !made.is_empty() {
            reporter.note(&format!("to fit into memory: {}", made.join(", ")));
        }
    }
    let animator = Animator::new(&model, &device, run_options)?;
    reporter.say(&animator.plan().to_string(), json!({ "event": "plan", "plan": animator.plan() }));
    match available {
        Some(available) if !args.force => animator.plan().check(available)?,
        Some(_) => {}
        None => reporter.note(
            "the memory of this device is not known here: the plan is not checked against it; `--memory MIB` says how \
             much there is",
        ),
    }
    // Before a long video is tracked.
    model.check_weights(&device)?;

    let portrait = source::portrait(&args.portrait, animator.canvas(), &args.face, smirk.as_ref(), &device, reporter)?;
    let limit = source::frames_needed(&edit, animator.driving_frames());
    // Sound belongs to the video's own time.
    let with_sound = format.carries_sound() && !edit.changes_time();
    let driving = source::performance(args, limit, with_sound, smirk.as_ref(), &device, reporter)?.edited(&edit)?;
    let clip = animator.run(&portrait, &driving.motion, reporter.progress())?;
    let work = clip.work;
    if work.blocks_saved > 0 {
        reporter.note(&format!("denoise: {work}"));
    }
    let frames = if args.side_by_side { beside(&portrait, &driving, &clip)? } else { clip.frames };
    let count = frames.len();
    write(&args.output, &frames, driving.sound, &options, reporter)?;
    reporter.say(
        &format!("wrote {} ({count} frames at {RATE} frames per second)", args.output.display()),
        json!({ "event": "done", "output": args.output, "frames": count, "work": work }),
    );
    Ok(Outcome::Done)
}

/// The model with low-rank updates.
pub fn with_loras(model: ModelDir, files: &[LoraFile]) -> Result<ModelDir> {
    let lora = |file: &LoraFile| Lora::open(&file.path, file.strength, &Limits::default());
    Ok(model.with_loras(files.iter().map(lora).collect::<std::result::Result<_, _>>()?))
}

/// Refuses a file that could not be written in the end; leaves nothing behind. For clips see [`check_clip_target`].
pub fn check_output(path: &Path) -> Result<()> {
    OutputFile::create(path)?;
    Ok(())
}

/// Writes frames as the name of the file says, with `sound` where that can have any.
pub fn write(
    path: &Path,
    frames: &[Frame],
    sound: Option<Sound>,
    options: &VideoOptions,
    reporter: &Reporter,
) -> Result<()> {
    let mut writer = ClipWriter::create(path, RATE, options)?.with_sound(sound);
    for (frame, count) in frames.iter().zip(1..) {
        writer.push(frame)?;
        reporter.progress().report("encode", count, Some(frames.len() as u64))?;
    }
    writer.finish()?;
    Ok(())
}

pub fn tilings(choice: TilingChoice) -> (Tiling, Tiling) {
    match choice {
        TilingChoice::On => (Tiling::On, Tiling::Off),
        TilingChoice::Off => (Tiling::Off, Tiling::Off),
        TilingChoice::All => (Tiling::On, Tiling::On),
    }
}

fn animator_options(
    args: &Animate,
    model: &ModelDir,
    retargeting: Retargeting,
    keep: Option<Intermediates>,
) -> Result<AnimatorOptions> {
    let [frames, height, width] = model.native_size();
    let [height, width] = args.size.unwrap_or([height, width]);
    let (tiling, guider_tiling) = tilings(args.compute.tiling);
    Ok(AnimatorOptions {
        size: Some([args.frames.unwrap_or(frames), height, width]),
        seed: args.seed,
        denoise: DenoiseSettings {
            steps: args.steps,
            guidance: guidance(args)?,
            sampler: args.sampler,
            batched_guidance: args.batched_guidance,
            reuse: args.reuse.settings(),
        },
        precision: args.compute.precision,
        blocks: args.blocks(),
        tiling,
        guider_tiling,
        retargeting,
        compat: args.compat,
        keep,
    })
}

fn guidance(args: &Animate) -> Result<Guidance> {
    let constant = constant_guidance(args.guidance)?;
    Ok(match (args.dynamic_guidance, args.compat) {
        (false, _) => constant,
        (true, false) => Guidance::Dynamic(args.guidance),
        (true, true) => Guidance::DynamicCompat(args.guidance),
    })
}

/// The same guidance in every step.
pub fn constant_guidance(scale: f64) -> Result<Guidance> {
    if !scale.is_finite() || scale < 0.0 {
        return Err(request("guidance", format!("{scale} is not a scale; 1 turns it off, 3 is published")));
    }
    Ok(Guidance::Constant(scale))
}

/// Portrait, driving frame (the guide where there is none) and result, from left to right.
fn beside(portrait: &Portrait, driving: &Performance, clip: &Animation) -> Result<Vec<Frame>> {
    let (width, height) = portrait.canvas.dimensions();
    let rows = clip.frames.iter().enumerate().map(|(index, result)| {
        let middle = match driving.frames.get(index) {
            Some(frame) => fit(frame, width, height)?,
            None => clip.guide[(index + skyreels::landmarks::LEADING_FRAMES).min(clip.guide.len() - 1)].clone(),
        };
        Ok(row(&[&portrait.canvas, &middle, result]))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{Args, Command};
    use super::*;

    fn guided(options: &str) -> Result<Guidance> {
        let line = format!("skyreels animate --portrait drawn:1 --driving d -o o.mp4 {options}");
        match Args::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Animate(args) => guidance(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_number_behind_the_last_colon_is_the_strength_of_a_lora() {
        let file = |text: &str| -> LoraFile { text.parse().unwrap() };
        let lora = |path: &str, strength| LoraFile { path: path.into(), strength };
        assert_eq!(file("a/b.safetensors"), lora("a/b.safetensors", 1.0));
        assert_eq!(file("a/b.safetensors:0.5"), lora("a/b.safetensors", 0.5));
        assert_eq!(file("C:\\x.safetensors:-1"), lora("C:\\x.safetensors", -1.0));
        assert_eq!(file("C:\\x.safetensors"), lora("C:\\x.safetensors", 1.0));
    }

    #[test]
    fn every_kind_of_guidance_can_be_asked_for() {
        assert_eq!(guided("").unwrap(), Guidance::Constant(3.0));
        assert_eq!(guided("--guidance 1 --compat").unwrap(), Guidance::Constant(1.0));
        assert_eq!(guided("--dynamic-guidance").unwrap(), Guidance::Dynamic(3.0));
        assert_eq!(guided("--dynamic-guidance --compat --guidance 2").unwrap(), Guidance::DynamicCompat(2.0));
        for scale in ["nan", "inf", "-1"] {
            assert!(guided(&format!("--guidance={scale}")).is_err(), "{scale}");
        }
    }
}
