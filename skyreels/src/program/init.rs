//! `skyreels init`.

use serde_json::json;
use skyreels::core::open_device;

use super::args::Init;
use super::source::request;
use super::{Outcome, Reporter, Result};

pub fn run(args: &Init, reporter: &Reporter) -> Result {
    let occupied = std::fs::read_dir(&args.directory).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let reason = format!("{} is not empty; name a new directory", args.directory.display());
        return Err(request("directory", reason));
    }
    args.preset.write(&args.directory, args.seed, &open_device("auto")?)?;
    reporter.say(
        &format!("wrote a random checkpoint into {}", args.directory.display()),
        json!({ "event": "done", "output": args.directory }),
    );
    Ok(Outcome::Done)
}
