//! `skyreels demo` and `skyreels measure`: rendered people, of whom the truth is known.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use skyreels::animate::RATE;
use skyreels::core::media::{Quality, VideoOptions, check_clip_target};
use skyreels::core::open_device;
use skyreels::eval::{psnr, ssim};
use skyreels::landmarks::{LEADING_FRAMES, MeshRetargeter};
use skyreels::rendered::{HeldOut, MOST_DECIBELS, MotionErrors, Scene, measure};
use skyreels::{Animator, AnimatorOptions, DenoiseSettings, Retargeting};

use super::animate::write;
use super::args::Compute;
use super::face_args::FaceSource;
use super::row::row;
use super::{Outcome, Reporter, Result, nano};

#[derive(Debug, Args)]
pub struct Demo {
    /// The video to write: portrait, driving clip, result and the true rendering beside each other.
    #[arg(short, long, default_value = "demo.mp4")]
    pub output: PathBuf,
    /// Seed of the portrait's person, of the driver and of the performance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub model: DemoModel,
}

#[derive(Debug, Args)]
pub struct Measure {
    /// People.
    #[arg(long, default_value_t = HeldOut::default().identities)]
    pub identities: u64,
    /// Performances of each.
    #[arg(long, default_value_t = HeldOut::default().motions)]
    pub motions: u64,
    #[command(flatten)]
    pub model: DemoModel,
}

/// What animates.
#[derive(Debug, Args)]
pub struct DemoModel {
    /// Checkpoint directory; without one, the small model that comes with the program.
    #[arg(long)]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub face: FaceSource,
    #[command(flatten)]
    pub compute: Compute,
    /// Denoising steps.
    #[arg(long, default_value_t = 10)]
    pub steps: usize,
    /// Guidance towards the portrait's face; 1 turns it off and halves the work.
    #[arg(long, default_value_t = 1.0)]
    pub guidance: f64,
    /// Seed of all noise.
    #[arg(long = "noise-seed", default_value_t = 43)]
    pub noise: u64,
}

impl DemoModel {
    fn options(&self) -> Result<AnimatorOptions> {
        let guidance = super::animate::constant_guidance(self.guidance)?;
        let (tiling, guider_tiling) = super::animate::tilings(self.compute.tiling);
        Ok(AnimatorOptions {
            seed: self.noise,
            denoise: DenoiseSettings { steps: self.steps, guidance, ..DenoiseSettings::default() },
            precision: self.compute.precision,
            tiling,
            guider_tiling,
            // The truth goes where the driver goes.
            retargeting: Retargeting::Mesh(MeshRetargeter { translation: 1.0, ..MeshRetargeter::default() }),
            ..AnimatorOptions::default()
        })
    }
}

pub fn demo(args: &Demo, reporter: &Reporter) -> Result {
    check_clip_target(&args.output, RATE)?;
    let device = open_device(&args.model.compute.device)?;
    let (model, _scratch) = nano::open(args.model.model.as_deref(), reporter)?;
    let animator = Animator::new(&model, &device, args.model.options()?)?;
    let tracker = args.model.face.tracker(false, &device, reporter)?;
    // Odd seeds are people that the model's training has not seen.
    let first = args.seed.wrapping_mul(4);
    let (portrait, driver) = (first.wrapping_add(1), first.wrapping_add(3));
    let scene = Scene::across(portrait, driver, args.seed, animator.size()[0] - LEADING_FRAMES, animator.canvas());
    let (_, clip) = scene.animate(&animator, &*tracker, reporter.progress())?;
    let shown = clip.frames.iter().zip(&scene.driving).zip(&scene.truth);
    let rows: Vec<_> = shown.map(|((made, driving), truth)| row(&[&scene.picture, driving, made, truth])).collect();
    let options = VideoOptions { quality: Quality::new(QUALITY)?, ..VideoOptions::default() };
    write(&args.output, &rows, None, &options, reporter)?;
    let count = clip.frames.len() as f64;
    let (mut near, mut alike, mut still) = (0.0, 0.0, 0.0);
    for (made, truth) in clip.frames.iter().zip(&scene.truth) {
        near += psnr(made, truth)?.min(MOST_DECIBELS) / count;
        alike += ssim(made, truth)? / count;
        still += ssim(&scene.picture, truth)? / count;
    }
    reporter.say(
        &format!(
            "wrote {} (portrait, driver, result, truth): {near:.1} dB, SSIM {alike:.3}; the portrait standing still has {still:.3}",
            args.output.display()
        ),
        json!({ "event": "done", "output": args.output, "psnr": near, "ssim": alike, "still_ssim": still }),
    );
    Ok(Outcome::Done)
}

/// Quality of the video, 0 to 100: small pictures can afford it.
const QUALITY: u8 = 90;

pub fn run_measure(args: &Measure, reporter: &Reporter) -> Result {
    let device = open_device(&args.model.compute.device)?;
    let (model, _scratch) = nano::open(args.model.model.as_deref(), reporter)?;
    let animator = Animator::new(&model, &device, args.model.options()?)?;
    let tracker = args.model.face.tracker(false, &device, reporter)?;
    let held_out = HeldOut { identities: args.identities, motions: args.motions };
    let found = measure(&model, &animator, &*tracker, held_out, reporter.progress())?;
    let (own, across) = (found.own, found.across);
    let row = |name: &str, digits: usize, of: fn(&MotionErrors) -> f64| {
        let [result, still, shuffled, truth] =
            [across.result, across.still, across.shuffled, across.truth].map(|errors| of(&errors));
        format!("{name} {result:10.digits$} {still:16.digits$} {shuffled:17.digits$} {truth:16.digits$}")
    };
    let lines = [
        format!("{} people, {} clips of each kind", args.identities, found.clips),
        String::from("of themselves                    result   still portrait"),
        format!("  PSNR, dB                     {:10.2} {:16.2}", own.psnr, own.still_psnr),
        format!("  SSIM                         {:10.3} {:16.3}", own.ssim, own.still_ssim),
        format!("  PSNR through the VAE, dB     {:10.2}", own.vae_psnr),
        String::from("of others                        result   still portrait   driver shuffled   true rendering"),
        row("  expression error, cm        ", 3, |errors| errors.expression),
        row("  head rotation error, degrees", 2, |errors| errors.rotation),
        format!("  faces found, %               {:10.1}", 100.0 * across.found),
        format!("  nearest to own portrait, %   {:10.1}", 100.0 * across.own_identity),
        format!("  likeness (16x16 pixels)      {:10.3}", across.likeness),
    ];
    reporter.result(&lines.join("\n"), json!({ "event": "done", "measurement": found }));
    Ok(Outcome::Done)
}
