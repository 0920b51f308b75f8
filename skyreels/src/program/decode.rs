//! `skyreels decode`: a finished denoising is never lost to a failed decode.

use serde_json::json;
use skyreels::animate::RATE;
use skyreels::core::media::{Quality, VideoOptions, check_clip_target};
use skyreels::core::{Limits, open_device};
use skyreels::landmarks::LEADING_FRAMES;
use skyreels::{Animator, AnimatorOptions, ModelDir, read_latents};

use super::animate::{tilings, write};
use super::args::Decode;
use super::source::request;
use super::{Outcome, Reporter, Result};

pub fn run(args: &Decode, reporter: &Reporter) -> Result {
    check_clip_target(&args.output, RATE)?;
    let options = VideoOptions { quality: Quality::new(args.quality)?, ..VideoOptions::default() };
    let device = open_device(&args.compute.device)?;
    let model = ModelDir::open(&args.model, &Limits::default())?;
    let latents = read_latents(&args.latents, &device)?;
    let [_, frames, channels, height, width] = latents.dims();
    if channels != model.vae.latent_channels {
        let reason = format!("they have {channels} channels, the VAE of this model {}", model.vae.latent_channels);
        return Err(request("latents", reason));
    }
    let pixels = model.vae.spatial_compression_ratio();
    let (tiling, guider_tiling) = tilings(args.compute.tiling);
    let settings = AnimatorOptions {
        size: Some([model.vae.frames(frames), height * pixels, width * pixels]),
        precision: args.compute.precision,
        tiling,
        guider_tiling,
        ..AnimatorOptions::default()
    };
    let pictures = Animator::new(&model, &device, settings)?.decode(latents, reporter.progress())?;
    let shown: Vec<_> = pictures.into_iter().skip(LEADING_FRAMES).collect();
    let count = shown.len();
    write(&args.output, &shown, None, &options, reporter)?;
    reporter.say(
        &format!("wrote {} ({count} frames)", args.output.display()),
        json!({ "event": "done", "output": args.output, "frames": count }),
    );
    Ok(Outcome::Done)
}
