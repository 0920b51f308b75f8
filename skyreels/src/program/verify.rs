//! `skyreels verify`: is this build, on this device, the original?

use std::path::PathBuf;

use serde_json::json;
use skyreels::core::golden::Golden;
use skyreels::core::{Error as CoreError, open_device};

use super::args::Verify;
use super::source::request;
use super::{Outcome, Reporter, Result};

pub fn run(args: &Verify, reporter: &Reporter) -> Result {
    let device = open_device(&args.device)?;
    let files = golden_files(args)?;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for path in files {
        let golden = Golden::open(&path)?;
        let Some(report) = skyreels::golden::run(&golden, &device)? else {
            skipped += 1;
            reporter.note(&format!("{}: kind `{}` is not known here, skipped", golden.name(), golden.kind()));
            continue;
        };
        if report.passed() {
            passed += 1;
        } else {
            failed += 1;
        }
        let rows: Vec<_> = report
            .rows
            .iter()
            .map(|row| {
                json!({
                    "tensor": row.tensor, "shape": row.shape, "max_abs": row.max_abs, "rel_l2": row.rel_l2,
                    "reference": row.reference, "tolerance": row.tolerance, "failure": row.failure,
                })
            })
            .collect();
        let object =
            json!({ "event": "golden", "file": path, "name": report.name, "passed": report.passed(), "rows": rows });
        reporter.result(&report.to_string(), object);
    }
    let summary = format!("{passed} passed, {failed} failed, {skipped} skipped");
    reporter.result(&summary, json!({ "event": "done", "passed": passed, "failed": failed, "skipped": skipped }));
    if passed + failed == 0 {
        return Err(request("golden", format!("no file in {} is of a known kind", args.golden.display())));
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::CheckFailed })
}

/// Every golden file of the directory, in alphabetical order.
fn golden_files(args: &Verify) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(&args.golden).map_err(CoreError::io("read", &args.golden))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "json") && path.with_extension("safetensors").is_file())
        .collect();
    files.sort();
    if files.is_empty() {
        let reason = format!("{} holds no pair NAME.json and NAME.safetensors", args.golden.display());
        return Err(request("golden", reason));
    }
    Ok(files)
}
