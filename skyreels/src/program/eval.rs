//! `skyreels eval`: how good results are.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::UNIX_EPOCH;

use clap::Args;
use serde_json::json;
use skyreels::core::media::FrameRate;
use skyreels::core::{Device, Limits, open_device};
use skyreels::eval::{
    AnalysisOptions, Directories, Evaluation, EvaluationOptions, FaceEmbedder, FeatureExtractor, FidReference,
    InceptionExtractor, InceptionVariant, Judges, METRICS, PAPER_PORTRAITS, Pair, PairList, Protocol, draw_pairs,
    evaluate, write_report,
};

use super::face_args::{FaceSource, Following};
use super::source::request;
use super::{Outcome, Reporter, Result};

/// Where measurements are kept, in the report's directory.
const KEPT: &str = "measurements";
/// Files that are looked at at once unless the user says otherwise: each has a tracker's memory.
const MOST_JOBS: usize = 4;

#[derive(Debug, Args)]
pub struct Eval {
    /// Directory of the videos to judge, named PORTRAIT__DRIVER.mp4, or DRIVER.mp4 where the driver is the portrait.
    #[arg(long, required_unless_present = "write_pairs")]
    results: Option<PathBuf>,
    /// Directory of the portraits.
    #[arg(long)]
    portraits: PathBuf,
    /// Directory of the driving videos.
    #[arg(long)]
    driving: PathBuf,
    /// Directory to write report.json, report.csv and report.html into; measurements are kept there for the next run.
    #[arg(short, long, required_unless_present = "write_pairs")]
    output: Option<PathBuf>,
    /// A list of pairs, in place of the results' names.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    #[command(flatten)]
    drawing: Drawing,
    #[command(flatten)]
    face: FaceSource,
    #[command(flatten)]
    following: Following,
    #[command(flatten)]
    networks: Networks,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Compare at this many frames per second, whatever the videos' own rates.
    #[arg(long, default_value_t = 12)]
    rate: u32,
    /// Most frames of a video.
    #[arg(long, default_value_t = 1000)]
    frames: usize,
    /// Frames of each video for identity and distances of sets, evenly spread.
    #[arg(long, default_value_t = 16)]
    samples: usize,
    /// What distances of sets are measured from: driving, portraits or all. By default the driving frames where each driver is
    /// its own portrait, else the portraits.
    #[arg(long, value_name = "SET")]
    fid_reference: Option<FidReference>,
    /// Videos that are looked at at once.
    #[arg(long)]
    jobs: Option<usize>,
    /// Resamples of the confidence intervals.
    #[arg(long, default_value_t = 2000)]
    resamples: usize,
}

/// A list of pairs, drawn.
#[derive(Debug, Args)]
#[command(next_help_heading = "Drawing pairs")]
struct Drawing {
    /// Draw a list of pairs, write it to this file and stop: what to make before it can be judged.
    #[arg(long, value_name = "FILE")]
    write_pairs: Option<PathBuf>,
    /// self: each driver performs itself. cross: portraits drawn by the seed perform.
    #[arg(long, default_value = "cross")]
    protocol: Protocol,
    /// Seed of the drawing, and of the confidence intervals.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Most portraits of a drawing; the paper has 100.
    #[arg(long, default_value_t = PAPER_PORTRAITS)]
    most_portraits: usize,
    /// Portraits for each driver.
    #[arg(long, default_value_t = 1)]
    per_driver: usize,
}

/// Networks that judge, from files that the user has; scripts/convert-face-models makes them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Networks")]
struct Networks {
    /// ArcFace, for identity.
    #[arg(long, value_name = "FILE")]
    arcface: Option<PathBuf>,
    /// CurricularFace, for identity.
    #[arg(long, value_name = "FILE")]
    curricularface: Option<PathBuf>,
    /// Inception of pytorch-fid, for the FID.
    #[arg(long, value_name = "FILE")]
    inception: Option<PathBuf>,
    /// Inception of torchvision, for what the released script calls FID.
    #[arg(long, value_name = "FILE")]
    a1_inception: Option<PathBuf>,
}

pub fn run(args: &Eval, reporter: &Reporter) -> Result {
    let directories = Directories {
        results: args.results.clone().unwrap_or_default(),
        portraits: args.portraits.clone(),
        driving: args.driving.clone(),
    };
    if let Some(path) = &args.drawing.write_pairs {
        return write_pairs(path, args, &directories, reporter);
    }
    let Some(output) = &args.output else { return Err(request("output", "name a directory".into())) };
    let pairs = match &args.pairs {
        Some(list) => directories.pairs_of(&PairList::read(list)?)?,
        None => directories.pairs_by_name()?,
    };
    for (name, value) in [("samples", args.samples), ("frames", args.frames), ("resamples", args.resamples)] {
        if value == 0 {
            return Err(request(name, "0; at least one is needed".into()));
        }
    }
    let device = open_device(&args.device)?;
    let tracker = args.face.landmarker("measuring motion", &device)?;
    let judges = args.networks.open(&tracker, &device)?;
    let evaluation = evaluate(&pairs, &judges, &args.options(&pairs, output)?, reporter.progress())?;
    write_report(output, &evaluation)?;
    tell(&evaluation, output, reporter);
    Ok(if evaluation.failures.is_empty() { Outcome::Done } else { Outcome::CheckFailed })
}

fn write_pairs(path: &Path, args: &Eval, directories: &Directories, reporter: &Reporter) -> Result {
    let Drawing { protocol, seed, most_portraits, per_driver, .. } = args.drawing;
    let (portraits, drivers) = (directories.portrait_names()?, directories.driving_names()?);
    let list = draw_pairs(protocol, &portraits, &drivers, most_portraits, per_driver, seed)?;
    list.write(path)?;
    let count = list.pairs.len();
    reporter.say(
        &format!("wrote {} with {count} pairs", path.display()),
        json!({ "event": "done", "output": path, "pairs": count }),
    );
    Ok(Outcome::Done)
}

impl Eval {
    fn options(&self, pairs: &[Pair], output: &Path) -> Result<EvaluationOptions> {
        let own = pairs.iter().all(|pair| pair.truth);
        let cores = available_parallelism().map_or(1, usize::from);
        let files = [&self.face.face_model, &self.networks.arcface, &self.networks.curricularface];
        let files = files.into_iter().chain([&self.networks.inception, &self.networks.a1_inception]);
        let detection = (self.face.min_detection, self.face.min_presence, self.face.min_face);
        Ok(EvaluationOptions {
            analysis: AnalysisOptions {
                rate: FrameRate::new(self.rate.into(), 1)?,
                max_frames: self.frames,
                samples: self.samples,
                stream: self.following.options(),
                pick: self.face.face,
            },
            jobs: self.jobs.unwrap_or_else(|| cores.min(MOST_JOBS)),
            keep: Some(output.join(KEPT)),
            networks: format!("{detection:?} {:?}", files.map(|file| about(file.as_deref())).collect::<Vec<_>>()),
            reference: self.fid_reference.unwrap_or(if own { FidReference::Driving } else { FidReference::Portraits }),
            resamples: self.resamples,
            seed: self.drawing.seed,
            limits: Limits::default(),
        })
    }
}

/// What tells a file from a changed one.
fn about(path: Option<&Path>) -> Option<String> {
    let (path, about) = (path?, std::fs::metadata(path?).ok()?);
    let changed = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    Some(format!("{} {} {changed}", path.display(), about.len()))
}

impl Networks {
    fn open<'a>(&self, tracker: &'a skyreels::landmarks::FaceLandmarker, device: &Device) -> Result<Judges<'a>> {
        let limits = Limits::default();
        let mut identity = Vec::new();
        for (key, path) in [("arcface", &self.arcface), ("curricularface", &self.curricularface)] {
            let Some(path) = path else { continue };
            let embedder = FaceEmbedder::open(path, &limits, device)?;
            if embedder.key() != key {
                let reason = format!("{} holds {}; give it with --{}", path.display(), embedder.name(), embedder.key());
                return Err(request(key, reason));
            }
            identity.push(embedder);
        }
        // Keys do not tell the two Inceptions apart, but one file is not both.
        if self.inception.is_some() && self.inception == self.a1_inception {
            return Err(request(
                "a1-inception",
                "is the file of --inception; it has to be torchvision's network".into(),
            ));
        }
        let inception = |path: &PathBuf, variant| InceptionExtractor::open(path, variant, &limits, device);
        let fid = self.inception.as_ref().map(|path| inception(path, InceptionVariant::Fid)).transpose()?;
        let a1 = self.a1_inception.as_ref().map(|path| inception(path, InceptionVariant::Torchvision)).transpose()?;
        let features = fid.into_iter().map(|fid| Box::new(fid) as Box<dyn FeatureExtractor>).collect();
        Ok(Judges { tracker, identity, features, a1_inception: a1 })
    }
}

/// The means, and what was not measured.
fn tell(evaluation: &Evaluation, output: &Path, reporter: &Reporter) {
    for failure in &evaluation.failures {
        reporter.note(&format!("{} was not measured: {}", failure.name, failure.reason));
    }
    for set in &evaluation.sets {
        let value = set.value.map_or("not measured".into(), |value| format!("{value:.4}"));
        let value = set.standard_error.map_or(value.clone(), |error| format!("{value} ± {error:.4}"));
        let said = set.warning.map(|warning| warning.to_string()).or_else(|| set.missing.clone()).unwrap_or_default();
        let text = format!("{} from {}: {value} {said}", set.name, set.reference);
        reporter.result(text.trim_end(), json!({ "event": "set", "set": set }));
    }
    for metric in &METRICS {
        if let Some(summary) = evaluation.summary.get(metric.key) {
            let interval = summary
                .interval
                .map_or(String::new(), |interval| format!("[{:.4}, {:.4}]", interval.low, interval.high));
            reporter.result(
                &format!("{:32} {:>10.4}  {interval}  {} of {}", metric.key, summary.mean, summary.pairs, summary.of),
                json!({ "event": "metric", "name": metric.key, "summary": summary }),
            );
        }
    }
    let (pairs, failures) = (evaluation.pairs.len(), evaluation.failures.len());
    reporter.say(
        &format!("wrote {} ({pairs} pairs, {failures} not measured)", output.join("report.html").display()),
        json!({ "event": "done", "output": output, "pairs": pairs, "failures": failures, "work": evaluation.work }),
    );
}
