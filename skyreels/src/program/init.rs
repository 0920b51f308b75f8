//! `skyreels init`.

use std::fs;
use std::path::Path;

use serde_json::json;
use skyreels::core::{Error as CoreError, open_device};

use super::args::Init;
use super::source::request;
use super::{Outcome, Reporter, Result};

pub fn run(args: &Init, reporter: &Reporter) -> Result {
    let directory = args.directory.as_path();
    let device = open_device(&args.device)?;
    write_directory(directory, |hidden| args.preset.write(hidden, args.seed, &device, reporter.progress()))?;
    reporter.say(
        &format!("wrote a random checkpoint into {}", directory.display()),
        json!({ "event": "done", "output": directory }),
    );
    Ok(Outcome::Done)
}

/// Fills a directory that is new or empty: with everything, or with nothing.
pub fn write_directory(directory: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let made = !directory.exists();
    if !made && fs::read_dir(directory).map_err(CoreError::io("read", directory))?.next().is_some() {
        return Err(request("directory", format!("{} is not empty; name a new directory", directory.display())));
    }
    fs::create_dir_all(directory).map_err(CoreError::io("create", directory))?;
    let written = fill(directory, write);
    if let (Err(_), true) = (&written, made) {
        // What failed leaves nothing; a directory that somebody else has filled meanwhile stays.
        let _ = fs::remove_dir(directory);
    }
    written
}

/// Fills a directory with what `write` puts into a hidden one beside its place: all of it, or nothing.
fn fill(directory: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let hidden = tempfile::Builder::new().prefix(".skyreels-").suffix(".part").tempdir_in(directory);
    let hidden = hidden.map_err(CoreError::io("write into", directory))?;
    write(hidden.path())?;
    for entry in fs::read_dir(hidden.path()).map_err(CoreError::io("read", hidden.path()))? {
        let entry = entry.map_err(CoreError::io("read", hidden.path()))?;
        let target = directory.join(entry.file_name());
        fs::rename(entry.path(), &target).map_err(CoreError::io("rename to", &target))?;
    }
    Ok(())
}
