//! Our program and the PyTorch original in turn on the same work.
//!
//! `cargo run --release -p skyreels-benches --bin compare -- PYTHON BENCH_PEER_PY [ROUNDS [PEAK_GFLOPS [DEVICE..]]]`; build
//! `peer_work` first. With the peak of the machine in GFLOP/s, model FLOP utilisation is printed too; with devices that were built in
//! (`ndarray`, `tch`), our time on them.

use std::error::Error;
use std::process::Command;

use serde_json::Value;
use skyreels_benches::CASES;

/// Runs of one process; the median of them counts.
const RUNS: &str = "5";
/// Both sides compute with this many threads.
const THREADS: &str = "2";
/// Root mean squares of the results may differ by this share.
const SAME_WORK: f64 = 1e-4;

/// Median time in seconds, peak memory in MiB, root mean square of each result; operations of the model in GFLOP, which
/// only our side counts.
struct Measure {
    seconds: f64,
    peak: f64,
    rms: Vec<f64>,
    gflop: Option<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [python, script, rest @ ..] = arguments.as_slice() else {
        return Err("name the peer's Python and its bench_peer.py".into());
    };
    let rounds: usize = rest.first().map_or(Ok(3), |rounds| rounds.parse())?;
    let machine = rest.get(1).map(|peak| peak.parse::<f64>()).transpose()?;
    let devices = rest.get(2..).unwrap_or_default();
    let ours = std::env::current_exe()?.with_file_name("peer_work");

    let others: String = devices.iter().map(|device| format!(" ours on {device}, s |")).collect();
    println!(
        "| work | ours, s | PyTorch, s | ratio | ours, MiB | PyTorch, MiB | ratio | ours, GFLOP/s | PyTorch, GFLOP/s |{others}"
    );
    println!("|---|---|---|---|---|---|---|---|---|{}", "---|".repeat(devices.len()));
    for (case, _) in CASES {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            mine.push(measure(Command::new(&ours).args(["--runs", RUNS, case]))?);
            theirs.push(measure(Command::new(python).args([script, "--child", case, "--runs", RUNS]))?);
        }
        let (mine, theirs) = (median(mine), median(theirs));
        mine.check_against(&theirs, case)?;
        let mut others = String::new();
        for device in devices {
            let other = measure(Command::new(&ours).args(["--runs", RUNS, "--device", device, case]))?;
            other.check_against(&theirs, case)?;
            others.push_str(&format!(" {:.3} |", other.seconds));
        }
        println!(
            "| {case} | {:.3} | {:.3} | **{:.2}** | {:.0} | {:.0} | {:.2} | {} | {} |{others}",
            mine.seconds,
            theirs.seconds,
            mine.seconds / theirs.seconds,
            mine.peak,
            theirs.peak,
            mine.peak / theirs.peak,
            rate(mine.gflop, mine.seconds, machine),
            rate(mine.gflop, theirs.seconds, machine),
        );
    }
    Ok(())
}

impl Measure {
    /// Refuses to compare the times of different work.
    fn check_against(&self, other: &Self, case: &str) -> Result<(), Box<dyn Error>> {
        let same = |(mine, theirs): (&f64, &f64)| (mine / theirs - 1.0).abs() <= SAME_WORK;
        if self.rms.len() != other.rms.len() || !self.rms.iter().zip(&other.rms).all(same) {
            return Err(format!("{case}: not the same work: {:?} and {:?}", self.rms, other.rms).into());
        }
        Ok(())
    }
}

/// Operations per second, and their share of what the machine can do where that was named.
fn rate(gflop: Option<f64>, seconds: f64, machine: Option<f64>) -> String {
    let Some(rate) = gflop.map(|gflop| gflop / seconds) else { return String::new() };
    let share = machine.map_or(String::new(), |machine| format!(" ({:.0} %)", 100.0 * rate / machine));
    format!("{rate:.0}{share}")
}

fn measure(command: &mut Command) -> Result<Measure, Box<dyn Error>> {
    let threads = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"].map(|name| (name, THREADS));
    let output = command.envs(threads).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8(output.stdout)?;
    let report: Value = serde_json::from_str(text.lines().last().ok_or("the program printed nothing")?)?;
    let number = |value: &Value| value.as_f64().ok_or("a number is missing in the report");
    Ok(Measure {
        seconds: number(&report["median_s"])?,
        peak: number(&report["peak_rss_mib"])?,
        rms: (0..)
            .map_while(|index| report["check"].get(format!("out{index}")))
            .map(|result| number(&result["rms"]))
            .collect::<Result<_, _>>()?,
        gflop: report["gflop"].as_f64(),
    })
}

/// The round of median time.
fn median(mut rounds: Vec<Measure>) -> Measure {
    rounds.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    rounds.swap_remove(rounds.len() / 2)
}
