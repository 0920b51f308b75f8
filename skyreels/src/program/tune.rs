//! `skyreels tune`: the first run is the slow one, so that it need not be the user's.

use serde_json::json;
use skyreels::core::device::Backend;
use skyreels::core::{Device, Error as CoreError, Limits, Progress, open_device};
use skyreels::model::write_published_configs;
use skyreels::tune::{AutotuneCache, Timing, TuneOptions, Tuner};
use skyreels::{ModelDir, Preset};

use super::animate::tilings;
use super::args::{Tune, TuneSizes};
use super::{Outcome, Reporter, Result};

pub fn run(args: &Tune, reporter: &Reporter) -> Result {
    let device = open_device(&args.compute.device)?;
    let (model, _scratch) = open_sizes(args, &device, reporter)?;
    let [frames, height, width] = model.native_size();
    let [height, width] = args.size.unwrap_or([height, width]);
    let (tiling, guider_tiling) = tilings(args.compute.tiling);
    let options = TuneOptions {
        size: Some([args.frames.unwrap_or(frames), height, width]),
        precision: args.compute.precision,
        int8: args.int8,
        tiling,
        guider_tiling,
        batched_guidance: args.batched_guidance,
        runs: args.runs,
    };
    let cache = AutotuneCache::here();
    let before = cache.bytes();
    let tuner = Tuner::new(&model, &device, options)?;
    let timings = tuner.all(reporter.progress())?;
    for timing in &timings {
        reporter
            .result(&line(timing), json!({ "event": "timing", "timing": timing, "flops_per_second": timing.rate() }));
    }
    let [first, steady] =
        [|t: &Timing| t.first, |t: &Timing| t.steady].map(|time| timings.iter().map(time).sum::<f64>());
    let after = cache.bytes();
    let kept = if Backend::of(&device) == Backend::Cube {
        describe(&cache, before, after)
    } else {
        "this device has nothing to tune: its first run differs by memory and caches alone".to_string()
    };
    let object = json!({
        "event": "done", "first": first, "steady": steady, "size": tuner.size(), "cache": cache,
        "cache_bytes_before": before, "cache_bytes_after": after,
    });
    reporter.result(&format!("all stages: first {first:.3} s, then {steady:.3} s\n{kept}"), object);
    Ok(Outcome::Done)
}

/// The model whose sizes are tuned for.
fn open_sizes(args: &Tune, device: &Device, reporter: &Reporter) -> Result<(ModelDir, Option<tempfile::TempDir>)> {
    if let Some(path) = &args.model {
        return Ok((ModelDir::open(path, &Limits::default())?, None));
    }
    let scratch = tempfile::tempdir().map_err(CoreError::io("create", std::env::temp_dir()))?;
    let sizes =
        args.sizes.unwrap_or(if Backend::of(device).is_host() { TuneSizes::Tiny } else { TuneSizes::Published });
    match sizes {
        TuneSizes::Tiny => Preset::Tiny.write(scratch.path(), 0, device, Progress::none())?,
        TuneSizes::Nano => Preset::Nano.write(scratch.path(), 0, device, Progress::none())?,
        TuneSizes::Published => write_published_configs(scratch.path())?,
    }
    reporter.note(&format!("no --model given: random weights of the {sizes} sizes"));
    Ok((ModelDir::open(scratch.path(), &Limits::default())?, Some(scratch)))
}

fn line(timing: &Timing) -> String {
    let Timing { stage, first, steady, reserved, .. } = timing;
    let memory = reserved.map_or(String::new(), |bytes| format!(", {:.0} MiB held", bytes as f64 / (1 << 20) as f64));
    format!("{stage:9} first {first:9.3} s, then {steady:9.3} s, {:9.1} GFLOP/s{memory}", timing.rate() / 1e9)
}

fn describe(cache: &AutotuneCache, before: u64, after: u64) -> String {
    let place = match (&cache.directory, &cache.configuration) {
        (Some(directory), None) => directory.display().to_string(),
        (Some(directory), Some(file)) => format!("{} unless {} says otherwise", directory.display(), file.display()),
        (None, _) => "the temporary directory: no user cache directory is known".to_string(),
    };
    format!("autotune cache: {place}, {before} bytes before, {after} now")
}
