//! `skyreels prepare`: videos to a dataset for training.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use skyreels::ModelDir;
use skyreels::core::checkpoint::Weights;
use skyreels::core::{Device, Limits, Precision, open_device};
use skyreels::train::flow::{LucasKanade, OpticalFlow, Raft, RaftFlow, RaftOptions};
use skyreels::train::loss::FaceAware;
use skyreels::train::prepare::{
    Distribution, Encoders, MANIFEST, MotionRules, Prepared, QUANTILES, Row, Settings, Share, Summary, Threshold,
    Tools, assemble, prepare,
};
use skyreels::vae::Tiling;

use super::args::parse_size;
use super::face_args::FaceSource;
use super::source::request;
use super::{Outcome, Reporter, Result};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Prepare {
    #[command(subcommand)]
    command: Option<Command>,
    /// Videos to take clips from.
    #[arg(required = true)]
    videos: Vec<PathBuf>,
    /// Directory to fill; what it has finished before is kept.
    #[arg(short, long, required = true)]
    output: Option<PathBuf>,
    #[command(flatten)]
    face: FaceSource,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    device: String,
    /// HEIGHTxWIDTH of the clips in pixels.
    #[arg(long, value_parser = parse_size, default_value = "480x720")]
    size: [usize; 2],
    /// Frames of a clip, 8 k + 1.
    #[arg(long, default_value_t = 49)]
    frames: usize,
    /// Frames per second.
    #[arg(long, default_value_t = 12)]
    rate: u32,
    /// Most clips of one video.
    #[arg(long)]
    max_clips: Option<usize>,
    /// Which of how many machines this is, from 0: `0/4` to `3/4`. Merge when all have finished.
    #[arg(long)]
    shard: Option<Share>,
    /// Seed by which the frame is drawn that shows who it is.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// RAFT's weights, large or small; without them a simpler method says what moves.
    #[arg(long)]
    raft: Option<PathBuf>,
    /// RAFT's iterations.
    #[arg(long, default_value_t = 20)]
    iterations: usize,
    /// Checkpoint directory whose VAE and vision tower make latents and identity tokens to keep.
    #[arg(long)]
    model: Option<PathBuf>,
    #[command(flatten)]
    motion: Motion,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write one manifest of what several machines or runs have prepared.
    Merge(Merge),
}

#[derive(Debug, Args)]
struct Merge {
    /// Directories that `prepare` has filled.
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// The manifest to write.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    motion: Motion,
}

/// How much a clip has to move.
#[derive(Debug, Args)]
struct Motion {
    /// Least range of the head's angles: degrees, or the share of all clips to leave out.
    #[arg(long, default_value = "10%")]
    min_head: Threshold,
    /// Least range of the gap between the lips: a share of the mouth's width, or the share of all clips to leave out.
    #[arg(long, default_value = "10%")]
    min_mouth: Threshold,
}

impl Motion {
    fn rules(&self) -> MotionRules {
        MotionRules { head: self.min_head, mouth: self.min_mouth }
    }
}

pub fn run(args: &Prepare, reporter: &Reporter) -> Result {
    if let Some(Command::Merge(merge)) = &args.command {
        let summary = assemble(&merge.directories, &merge.output, &merge.motion.rules())?;
        show(&summary, &merge.output, reporter);
        return Ok(Outcome::Done);
    }
    let Some(output) = &args.output else { return Err(request("output", "name a directory".into())) };
    let settings = settings(args)?;
    settings.validate()?;
    let device = open_device(&args.device)?;
    let tracker = args.face.landmarker("finding the faces of videos", &device)?;
    let flow = flow(args, &device, reporter)?;
    let model = args.model.as_ref().map(|path| ModelDir::open(path, &Limits::default())).transpose()?;
    let progress = reporter.progress();
    let vae = model.as_ref().map(|model| model.load_vae(Precision::F32, &device, progress)).transpose()?;
    let siglip = model.as_ref().map(|model| model.load_siglip(&device, progress)).transpose()?;
    let encoders = Encoders {
        vae: vae.as_ref().map(|vae| (vae, Tiling::On, &device)),
        siglip: siglip.as_ref().map(|tower| (tower, &device)),
    };
    let tools = Tools { tracker: &tracker, flow: &*flow, weights: FaceAware::default(), encoders };
    let share = args.shard.unwrap_or(Share::ALL);
    prepare(&args.videos, output, share, &settings, &tools, |done| tell(done, reporter), progress)?;
    if share == Share::ALL {
        let manifest = output.join(MANIFEST);
        let summary = assemble(std::slice::from_ref(output), &manifest, &args.motion.rules())?;
        show(&summary, &manifest, reporter);
    } else {
        reporter.say(
            &format!("finished share {share}; when all have, `skyreels prepare merge` writes the manifest"),
            json!({ "event": "done", "output": output, "shard": share.to_string() }),
        );
    }
    Ok(Outcome::Done)
}

fn settings(args: &Prepare) -> Result<Settings> {
    let [height, width] = args.size.map(|side| u32::try_from(side).ok());
    let (Some(width), Some(height)) = (width, height) else {
        return Err(request("size", format!("{}x{} is too large", args.size[0], args.size[1])));
    };
    let clips_per_source = args.max_clips.unwrap_or(Settings::default().clips_per_source);
    let Prepare { frames, rate, seed, .. } = *args;
    Ok(Settings { size: [width, height], frames, rate, clips_per_source, seed, ..Settings::default() })
}

fn flow(args: &Prepare, device: &Device, reporter: &Reporter) -> Result<Box<dyn OpticalFlow>> {
    let Some(path) = &args.raft else {
        reporter.note("no RAFT weights (`--raft FILE`): Lucas and Kanade's method says what moves");
        return Ok(Box::new(LucasKanade::default()));
    };
    let raft = Raft::load(&Weights::open(path, &Limits::default())?, device, reporter.progress())?;
    let options = RaftOptions { iterations: args.iterations, ..RaftOptions::default() };
    Ok(Box::new(RaftFlow::new(raft, device, options)?))
}

/// What became of a video: its clips, and a line for each rejection.
fn tell(done: &Prepared, reporter: &Reporter) {
    let clips = done.rows.iter().filter(|row| matches!(row, Row::Clip(_))).count();
    let rejected = done.rows.iter().filter(|row| matches!(row, Row::Rejected(_))).count();
    let before = if done.resumed { ", finished before" } else { "" };
    reporter.say(
        &format!("{}: {clips} clips, {rejected} rejected{before}", done.source.display()),
        json!({ "event": "source", "source": done.source, "clips": clips, "rejected": rejected, "resumed": done.resumed }),
    );
    for row in &done.rows {
        let Row::Rejected(row) = row else { continue };
        let at = row.start.map_or_else(|| "       -".into(), |start| format!("{start:7.2}s"));
        let object = json!({
            "event": "rejected", "source": row.source, "start": row.start, "frames": row.frames, "reason": row.reason,
            "detail": row.detail,
        });
        reporter.say(&format!("  {at} {:>4} frames  {:14} {}", row.frames, row.reason.to_string(), row.detail), object);
    }
}

fn show(summary: &Summary, manifest: &std::path::Path, reporter: &Reporter) {
    let header: String = QUANTILES.iter().map(|share| format!("{:>8}", format!("{:.0} %", 100.0 * share))).collect();
    let row = |name: &str, values: &Distribution, least: f32| {
        let cells: String = QUANTILES.iter().map(|share| format!("{:8.3}", values.quantile(*share))).collect();
        format!("{name:28}{cells}   at least {least:.3}")
    };
    let mut lines = vec![
        format!("{}: {} clips of {} videos", manifest.display(), summary.clips, summary.sources),
        format!("{:28}{header}", format!("of {} measured clips", summary.head.len())),
        row("range of head angles, degrees", &summary.head, summary.least.head),
        row("range of lips / mouth width", &summary.mouth, summary.least.mouth),
    ];
    lines.extend(summary.rejected.iter().map(|(reason, count)| format!("rejected {:14} {count}", reason.to_string())));
    let quantiles = |values: &Distribution| -> Value { QUANTILES.map(|share| values.quantile(share)).to_vec().into() };
    let rejected: serde_json::Map<String, Value> =
        summary.rejected.iter().map(|(reason, count)| (reason.to_string(), (*count).into())).collect();
    let object = json!({
        "event": "done", "manifest": manifest, "sources": summary.sources, "clips": summary.clips, "rejected": rejected,
        "quantiles": QUANTILES, "head": quantiles(&summary.head), "mouth": quantiles(&summary.mouth),
        "least_head": summary.least.head, "least_mouth": summary.least.mouth,
    });
    reporter.result(&lines.join("\n"), object);
}
