//! A whole clip's work on one device, stage by stage, with random weights of the sizes that are asked for.
//!
//! `card --device cuda --sizes published --precision bf16 --peak 989` is what `scripts/bench-gpu` runs on a card; the
//! same program runs at `--sizes tiny` on the CPU. Prints a table, and one JSON object with the same figures as its last
//! line. Ends with an error when an attention has held a score matrix.

use std::error::Error;
use std::path::PathBuf;

use serde_json::json;
use skyreels::model::write_published_configs;
use skyreels::tune::{Timing, TuneOptions, Tuner};
use skyreels::{ModelDir, Preset};
use skyreels_benches::{measure_attention, measure_load, most_held_bytes, peak_rss_mib};
use skyreels_core::{Limits, Precision, Progress, keep_freed_memory, open_device};
use skyreels_vae::Tiling;

const USAGE: &str = "card [--device D] [--sizes tiny|published] [--precision P] [--runs N] [--tokens N] [--tiling on|off] \
                     [--peak TFLOPS] [--scratch DIR] [--without STAGE[,STAGE]]; stages: attention, encode, batched, \
                     sequential, int8, decode, load";
const GIB: f64 = (1 << 30) as f64;

struct Arguments {
    device: String,
    published: bool,
    precision: Precision,
    runs: usize,
    /// Tokens of the attention alone; those of the clip when not given.
    tokens: Option<usize>,
    tiling: Tiling,
    /// Peak of the device in floating-point operations per second, as its maker states it.
    peak: Option<f64>,
    scratch: PathBuf,
    without: Vec<String>,
}

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut parsed = Arguments {
        device: "cpu".into(),
        published: false,
        precision: Precision::F32,
        runs: 3,
        tokens: None,
        tiling: Tiling::On,
        peak: None,
        scratch: std::env::temp_dir(),
        without: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match (name.as_str(), value.as_str()) {
            ("--device", _) => parsed.device = value,
            ("--sizes", "tiny") => parsed.published = false,
            ("--sizes", "published") => parsed.published = true,
            ("--precision", _) => parsed.precision = value.parse()?,
            ("--runs", _) => parsed.runs = value.parse()?,
            ("--tokens", _) => parsed.tokens = Some(value.parse()?),
            ("--tiling", "on") => parsed.tiling = Tiling::On,
            ("--tiling", "off") => parsed.tiling = Tiling::Off,
            ("--peak", _) => parsed.peak = Some(value.parse::<f64>()? * 1e12),
            ("--scratch", _) => parsed.scratch = value.into(),
            ("--without", _) => parsed.without = value.split(',').map(str::to_string).collect(),
            _ => return Err(USAGE.into()),
        }
    }
    if parsed.runs == 0 {
        return Err("--runs 0 leaves nothing to compare the first run with".into());
    }
    Ok(parsed)
}

fn main() -> Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let arguments = arguments()?;
    let Arguments { precision, runs, tiling, .. } = arguments;
    let device = open_device(&arguments.device)?;
    let configs = tempfile::tempdir()?;
    if arguments.published {
        write_published_configs(configs.path())?;
    } else {
        Preset::Tiny.write(configs.path(), 0, &device, Progress::none())?;
    }
    let model = ModelDir::open(configs.path(), &Limits::default())?;
    let options = TuneOptions { precision, tiling, runs, ..TuneOptions::default() };
    let tuner = Tuner::new(&model, &device, options)?;
    let wanted = |stage: &str| !arguments.without.iter().any(|without| without == stage);
    let [frames, height, width] = tuner.size();
    println!("{frames} frames of {height}x{width}, {precision}, device {}", arguments.device);
    println!();
    println!("| work | first, s | then, s | TFLOP | TFLOP/s | share of peak | held, GiB |");
    println!("|---|---|---|---|---|---|---|");
    let nobody = Progress::none();
    let (mut timings, mut attention, mut load) = (Vec::new(), None, None);
    let mut done = |timing: Timing| {
        println!("{}", row(&timing, arguments.peak));
        timings.push(timing);
        // What one stage has reserved is not the next one's.
        device.memory_cleanup();
    };
    if wanted("attention") {
        let transformer = &model.transformer;
        let [latent_frames, rows, columns] = model.latent_size(tuner.size())?;
        let patches = latent_frames * (rows / transformer.patch_size) * (columns / transformer.patch_size);
        let tokens = arguments.tokens.unwrap_or(model.siglip.tokens() + patches);
        let shape = [tokens, transformer.num_attention_heads, transformer.attention_head_dim];
        let measure = measure_attention(shape, precision, runs, &device)?;
        done(measure.timing);
        attention = Some(measure);
    }
    if wanted("encode") {
        tuner.encode(nobody)?.into_iter().for_each(&mut done);
    }
    if wanted("batched") {
        done(tuner.denoise("step, batched", true, nobody)?);
    }
    if wanted("sequential") {
        done(tuner.denoise("step, sequential", false, nobody)?);
    }
    if wanted("int8") {
        let tuner = Tuner::new(&model, &device, TuneOptions { int8: true, ..options })?;
        done(tuner.denoise("step, int8 blocks", false, nobody)?);
    }
    if wanted("decode") {
        done(tuner.decode(nobody)?);
    }
    let peak = timings.iter().filter_map(|timing| timing.reserved).max().or_else(|| most_held_bytes(&device));
    if wanted("load") {
        let measure = measure_load(&model, precision, &device, &arguments.scratch)?;
        let gib = measure.bytes as f64 / GIB;
        println!();
        println!("load: {gib:.3} GiB in {:.3} s, {:.2} GiB/s", measure.seconds, gib / measure.seconds);
        load = Some(measure);
    }
    if let Some(measure) = &attention {
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        println!(
            "attention over {} tokens: {} MiB held beside what was there, a score matrix is {:.0} MiB: {}",
            measure.tokens,
            measure.held_bytes.map_or("unknown".into(), |held| format!("{:.0}", mib(held))),
            mib(measure.score_bytes),
            match measure.holds_no_scores {
                Some(true) => "none is held",
                Some(false) => "ONE IS HELD",
                None => "cannot be told at this size",
            }
        );
    }
    if let Some(peak) = peak {
        println!("peak: {:.2} GiB", peak as f64 / GIB);
    }
    let report = json!({
        "device": arguments.device, "precision": precision.to_string(), "size": tuner.size(), "timings": timings,
        "attention": attention, "load": load, "peak_bytes": peak, "peak_rss_mib": peak_rss_mib(),
    });
    println!("{report}");
    match attention.and_then(|measure| measure.holds_no_scores) {
        Some(false) => Err("the attention has held a score matrix: it fell back from the fused kernel".into()),
        _ => Ok(()),
    }
}

fn row(timing: &Timing, peak: Option<f64>) -> String {
    let Timing { stage, first, steady, flops, reserved } = timing;
    let share = peak.map_or("".into(), |peak| format!("{:.1} %", 100.0 * timing.rate() / peak));
    let held = reserved.map_or("".into(), |bytes| format!("{:.2}", bytes as f64 / GIB));
    let (tera, rate) = (*flops as f64 / 1e12, timing.rate() / 1e12);
    format!("| {stage} | {first:.3} | {steady:.3} | {tera:.4} | {rate:.3} | {share} | {held} |")
}
