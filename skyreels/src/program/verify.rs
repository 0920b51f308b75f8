//! `skyreels verify`: is this build, on this device, the original?

use std::path::{Path, PathBuf};

use serde_json::json;
use skyreels::core::golden::{Golden, Report};
use skyreels::core::{Device, Error as CoreError, open_device};

use super::args::Verify;
use super::source::request;
use super::{Outcome, Reporter, Result};

/// Name of this operation in progress reports.
const STAGE: &str = "verify";

pub fn run(args: &Verify, reporter: &Reporter) -> Result {
    let device = open_device(&args.device)?;
    let files = golden_files(args)?;
    let total = Some(files.len() as u64);
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (path, done) in files.iter().zip(0..) {
        reporter.progress().report(STAGE, done, total)?;
        match compare(path, &device) {
            Ok(Compared::Known(report)) => {
                if report.passed() {
                    passed += 1;
                } else {
                    failed += 1;
                }
                show(path, &report, reporter);
            }
            Ok(Compared::Unknown(kind)) => {
                skipped += 1;
                reporter.note(&format!("{}: kind `{kind}` is not known here, skipped", path.display()));
            }
            Err(error) if error.is_cancelled() => return Err(error),
            // One bad file does not hide what the others say.
            Err(error) => {
                failed += 1;
                let object = json!({ "event": "golden", "file": path, "passed": false, "error": error.to_string() });
                reporter.result(&format!("{}: FAILED: {error}", path.display()), object);
            }
        }
    }
    reporter.progress().report(STAGE, files.len() as u64, total)?;
    let summary = format!("{passed} passed, {failed} failed, {skipped} skipped");
    reporter.result(&summary, json!({ "event": "done", "passed": passed, "failed": failed, "skipped": skipped }));
    if passed + failed == 0 {
        return Err(request("golden", format!("no file in {} is of a known kind", args.golden.display())));
    }
    Ok(if failed == 0 { Outcome::Done } else { Outcome::CheckFailed })
}

enum Compared {
    Known(Report),
    /// A kind that has no runner here.
    Unknown(String),
}

fn compare(path: &Path, device: &Device) -> Result<Compared> {
    let golden = Golden::open(path)?;
    Ok(match skyreels::golden::run(&golden, device)? {
        Some(report) => Compared::Known(report),
        None => Compared::Unknown(golden.kind().to_string()),
    })
}

fn show(path: &Path, report: &Report, reporter: &Reporter) {
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
