//! `skyreels motion render`.

use serde_json::json;
use skyreels::Portrait;
use skyreels::core::media::{FrameRate, Quality, VideoOptions, check_clip_target, write_clip};
use skyreels::core::{Error as CoreError, Frame, Limits, open_device};
use skyreels::landmarks::draw::Border;
use skyreels::landmarks::{Error as LandmarkError, GuideLayout, Motion, RetargetedFrame};

use super::super::row::row;
use super::super::source;
use super::{Outcome, Render, Reporter, Result};

/// Rates are written in thousandths of a frame per second.
const RATE_PRECISION: u32 = 1000;

pub fn run(args: &Render, reporter: &Reporter) -> Result {
    let options = VideoOptions { quality: Quality::new(args.quality)?, ..VideoOptions::default() };
    let edit = args.controls.to_edit()?;
    let motion = edit.apply(&Motion::open(&args.motion, &Limits::default())?)?;
    let rate = FrameRate::new((motion.rate() * f64::from(RATE_PRECISION)).round() as u64, RATE_PRECISION.into())?;
    check_clip_target(&args.output, rate)?;
    let canvas = [args.size[1], args.size[0]].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    source::check_canvas(canvas)?;
    let device = open_device(&args.device)?;
    let (smirk, retargeting) = args.moving.open(&device)?;
    let portrait = source::portrait(&args.portrait, canvas, &args.face, smirk.as_ref(), &device, reporter)?;
    let moved = retargeting.retarget(&portrait, &motion)?;
    // One by one: a motion may be far longer than what memory holds of its pictures.
    let frames = moved.iter().map(|frame| draw(frame, &portrait, args.side_by_side).map_err(of_drawing));
    write_clip(&args.output, frames, rate, None, &options, reporter.progress())?;
    let count = moved.len();
    reporter.say(
        &format!("wrote {} ({count} frames at {rate} frames per second)", args.output.display()),
        json!({ "event": "done", "output": args.output, "frames": count, "rate": motion.rate() }),
    );
    Ok(Outcome::Done)
}

/// The guide frame, the portrait beside it where that is asked for.
fn draw(moved: &RetargetedFrame, portrait: &Portrait, side_by_side: bool) -> Result<Frame, LandmarkError> {
    let canvas = portrait.canvas.dimensions().into();
    let guide = GuideLayout { canvas, crop: portrait.crop, border: Border::Clip }.draw(moved)?;
    Ok(if side_by_side { row(&[&portrait.canvas, &guide]) } else { guide })
}

fn of_drawing(error: LandmarkError) -> CoreError {
    match error {
        LandmarkError::Core(error) => error,
        other => CoreError::invalid("guide frame", other.to_string()),
    }
}
