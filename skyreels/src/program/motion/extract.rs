//! `skyreels motion extract`.

use serde_json::json;
use skyreels::core::media::{FrameRate, VideoReader};
use skyreels::core::output::OutputFile;
use skyreels::core::{Limits, open_device};
use skyreels::{Tracking, track};

use super::super::source::note_gaps;
use super::{Extract, Outcome, Reporter, Result};

pub fn run(args: &Extract, reporter: &Reporter) -> Result {
    // Leaves nothing behind; better refused before the work than after it.
    OutputFile::create(&args.output)?;
    let limits = Limits::default();
    // A file that is no video should say so before a model is asked for.
    let own = VideoReader::open(&args.video, &limits)?.info().frame_rate;
    let rate = if args.rate == 0 { own } else { FrameRate::new(args.rate.into(), 1)? };
    let device = open_device(&args.device)?;
    let tracker = args.face.tracker(false, &device, reporter)?;
    let smirk = args.smirk.open(&device)?;
    let limit = usize::try_from(limits.max_frames).unwrap_or(usize::MAX);
    let tracking = Tracking {
        rate,
        limit,
        pick: args.face.face,
        stream: args.following.options(),
        smirk: smirk.as_ref(),
        keep_frames: false,
        compat: false,
    };
    let gathered = track(&args.video, &*tracker, &tracking, &limits, reporter.progress())?.gathered;
    note_gaps(&gathered.counts, reporter);
    gathered.motion.save_with(&args.output, &args.saving.options())?;
    let (frames, counts) = (gathered.motion.frames().len(), gathered.counts);
    reporter.say(
        &format!("wrote {} ({frames} frames at {rate} frames per second)", args.output.display()),
        json!({
            "event": "done", "output": args.output, "frames": frames, "rate": gathered.motion.rate(),
            "seen": counts.seen, "held": counts.held, "interpolated": counts.interpolated, "reference": gathered.reference,
        }),
    );
    Ok(Outcome::Done)
}
