//! Does the peer's work and prints what the peer prints: times, peak memory, and a check of the result.
//!
//! `cargo run --release -p skyreels-benches --bin peer_work -- [--runs N] [--device D] CASE`

use std::error::Error;
use std::time::Instant;

use serde_json::{Value, json};
use skyreels_benches::{CASES, Work, load_average, peak_rss_mib, root_mean_square};
use skyreels_core::{keep_freed_memory, open_device};

fn main() -> Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let (mut runs, mut device, mut case) = (9, "cpu".to_string(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--runs" => runs = arguments.next().ok_or("--runs needs a number")?.parse()?,
            "--device" => device = arguments.next().ok_or("--device needs a name")?,
            name => case = Some(CASES.iter().find(|(known, _)| *known == name).ok_or("unknown case")?),
        }
    }
    let names = CASES.map(|(name, _)| name).join(", ");
    let (name, case) = case.ok_or_else(|| format!("name a case: {names}"))?;

    let work = Work::new(*case, &open_device(&device)?)?;
    let loaded = peak_rss_mib();
    let start = Instant::now();
    let results = work.run()?;
    let first = start.elapsed().as_secs_f64();
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        work.run()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let check: serde_json::Map<String, Value> = results
        .iter()
        .enumerate()
        .map(|(index, values)| {
            let first = &values[..values.len().min(6)];
            (format!("out{index}"), json!({ "rms": root_mean_square(values), "first": first }))
        })
        .collect();
    let report = json!({
        "case": name, "device": device, "median_s": times[times.len() / 2], "min_s": times[0],
        "max_s": times[times.len() - 1], "first_call_s": first, "peak_rss_mib": peak_rss_mib(),
        "gflop": work.flops() as f64 / 1e9, "gflop_per_s": work.flops() as f64 / 1e9 / times[times.len() / 2],
        "rss_after_load_mib": loaded, "loadavg_1m": load_average(),
        "check": check,
    });
    println!("{report}");
    Ok(())
}
