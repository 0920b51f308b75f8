//! `skyreels decode`: a finished denoising is never lost to a failed decode.

use serde_json::json;
use skyreels::animate::RATE;
use skyreels::core::media::{Quality, VideoOptions, check_clip_target};
use skyreels::core::{Limits, open_device};
use skyreels::landmarks::LEADING_FRAMES;
use skyreels::{ModelDir, decode, read_latents};

use super::animate::{tilings, write};
use super::args::Decode;
use super::source::request;
use super::{Outcome, Reporter, Result};

pub fn run(args: &Decode, reporter: &Reporter) -> Result {
    check_clip_target(&args.output, RATE)?;
    let options = VideoOptions { quality: Quality::new(args.quality)?, ..VideoOptions::default() };
    let device = open_device(&args.compute.device)?;
    let model = ModelDir::open(&args.model, &Limits::default())?;
    let kept = read_latents(&args.latents, &device)?;
    let (tiling, _) = tilings(args.compute.tiling);
    let frames = decode(&model, kept.latents, args.compute.precision, tiling, reporter.progress())?;
    let range = kept.shown.unwrap_or(LEADING_FRAMES..frames.len());
    let shown: Vec<_> = frames.into_iter().skip(range.start).take(range.len()).collect();
    if shown.is_empty() {
        return Err(request(
            "latents",
            "none of the frames that they say are shown is among those that they decode to".into(),
        ));
    }
    let count = shown.len();
    write(&args.output, &shown, None, &options, reporter)?;
    reporter.say(
        &format!("wrote {} ({count} frames)", args.output.display()),
        json!({ "event": "done", "output": args.output, "frames": count }),
    );
    Ok(Outcome::Done)
}
