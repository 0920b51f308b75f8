//! `skyreels motion edit`.

use serde_json::json;
use skyreels::core::Limits;
use skyreels::core::output::OutputFile;
use skyreels::landmarks::Motion;

use super::{Edit, Outcome, Reporter, Result};

pub fn run(args: &Edit, reporter: &Reporter) -> Result {
    // Leaves nothing behind; better refused before the work than after it.
    OutputFile::create(&args.output)?;
    let edit = args.controls.to_edit()?;
    let motion = edit.apply(&Motion::open(&args.motion, &Limits::default())?)?;
    motion.save_with(&args.output, &args.saving.options())?;
    let (frames, rate) = (motion.frames().len(), motion.rate());
    reporter.say(
        &format!("wrote {} ({frames} frames at {rate} frames per second)", args.output.display()),
        json!({ "event": "done", "output": args.output, "frames": frames, "rate": rate, "edit": edit }),
    );
    Ok(Outcome::Done)
}
