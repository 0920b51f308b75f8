//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use skyreels::core::Precision;
use skyreels::core::diffusion::SamplerKind;
use skyreels::landmarks::FacePick;
use skyreels::model::Preset;
use skyreels::{BlockWeights, ReuseSettings, StepRange};

use super::controls::Controls;
use super::convert::Convert;
use super::demo::{Demo, Measure};
use super::eval::Eval;
use super::face_args::{FaceSource, Following, Moving};
use super::motion::MotionArgs;
use super::prepare::Prepare;
use super::serve::Serve;

/// Portrait animation: a picture performs the expression and head motion of a video.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Print one JSON object per line instead of bars and words.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a video of a portrait that performs a motion.
    Animate(Box<Animate>),
    /// Make a person and a performance, animate, and compare with the truth.
    Demo(Demo),
    /// Measure a model on rendered people that training has never seen.
    Measure(Measure),
    /// Find faces, and write guide clip, points or an overlay.
    Landmarks(Landmarks),
    /// Make, change, describe and draw motion files.
    Motion(Box<MotionArgs>),
    /// Turn kept latents into a video.
    Decode(Decode),
    /// Measure results: identity, expression, pose, picture quality.
    Eval(Box<Eval>),
    /// Run golden files and compare every tensor with the original's.
    Verify(Verify),
    /// Show what is in a checkpoint, what is missing, and the memory of a run.
    Inspect(Inspect),
    /// Warm a device up: run every stage with random weights, keep what its autotuning finds, and say how long the first
    /// runs and those after them take.
    Tune(Tune),
    /// Make a dataset for training from videos.
    Prepare(Box<Prepare>),
    /// Write a small random checkpoint in the published layout.
    Init(Init),
    /// Write a checkpoint in another precision, without what inference does not use.
    Convert(Convert),
    /// Train a model: transformer, face projector and landmark guider in stages, the video VAE, a guider that the VAE teaches, or the landmark network.
    Train(Train),
    /// Let other machines compute on the devices of this one.
    Serve(Serve),
}

/// Where and how to compute.
#[derive(Debug, ClapArgs)]
pub struct Compute {
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// f32, f16 or bf16: weights and activations of transformer, VAE and landmark guider.
    #[arg(long, default_value = "f32")]
    pub precision: Precision,
    /// Tiles of the VAE; the original works in tiles.
    #[arg(long, value_enum, default_value = "on")]
    pub tiling: TilingChoice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TilingChoice {
    /// Frames larger than a tile in tiles, the landmark guider whole: the original's way.
    On,
    /// Whole frames: more memory, slightly other pixels.
    Off,
    /// Tiles for the landmark guider too: least memory, slightly other pixels.
    All,
}

/// Less work for nearly the same picture; nothing of it by default.
#[derive(Debug, ClapArgs)]
pub struct ReuseArgs {
    /// Steps FIRST..END, counted from 0, without their unconditional pass: the guidance of the last step before them
    /// goes on.
    #[arg(long, value_name = "STEPS")]
    pub reuse_unconditional: Option<StepRange>,
    /// Steps FIRST..END without guidance.
    #[arg(long, value_name = "STEPS")]
    pub skip_unconditional: Option<StepRange>,
    /// Skip the blocks behind the first while that changes by less than this share, for example 0.08.
    #[arg(long, value_name = "THRESHOLD")]
    pub block_cache: Option<f64>,
}

impl ReuseArgs {
    pub fn settings(&self) -> ReuseSettings {
        let Self { reuse_unconditional, skip_unconditional, block_cache } = *self;
        ReuseSettings { reuse_unconditional, skip_unconditional, block_cache }
    }
}

#[derive(Debug, ClapArgs)]
pub struct Animate {
    /// A picture, or `drawn:SEED` for one that this program draws.
    #[arg(long)]
    pub portrait: String,
    /// A video, or a motion file.
    #[arg(long)]
    pub driving: PathBuf,
    /// The video to write: .mp4, .gif, or numbered .png.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Checkpoint directory; without one, the small model that comes with the program.
    #[arg(long)]
    pub model: Option<PathBuf>,
    /// A LoRA that is added to the transformer, as `skyreels train` and diffusers write it; `:0.8` behind it is its strength. Can be given
    /// several times.
    #[arg(long, value_name = "FILE[:STRENGTH]")]
    pub lora: Vec<LoraFile>,
    #[command(flatten)]
    pub face: FaceSource,
    /// Which face of the driving video, named as with `--face`; it is followed from its first frame on.
    #[arg(long, default_value = "largest")]
    pub driving_face: FacePick,
    #[command(flatten)]
    pub following: Following,
    #[command(flatten)]
    pub moving: Moving,
    #[command(flatten)]
    pub compute: Compute,
    /// Denoising steps.
    #[arg(long, default_value_t = 10)]
    pub steps: usize,
    /// Guidance towards the portrait's face; 1 turns it off and halves the work.
    #[arg(long, default_value_t = 3.0)]
    pub guidance: f64,
    /// Let the guidance rise over the run, from 1 to 1 + `--guidance`.
    #[arg(long)]
    pub dynamic_guidance: bool,
    /// Run both guidance passes in one batch.
    #[arg(long)]
    pub batched_guidance: bool,
    /// ddim or dpm.
    #[arg(long, default_value = "ddim")]
    pub sampler: SamplerKind,
    #[command(flatten)]
    pub reuse: ReuseArgs,
    /// Seed of all noise.
    #[arg(long, default_value_t = 43)]
    pub seed: u64,
    /// HEIGHTxWIDTH in pixels; the model's own by default.
    #[arg(long, value_parser = parse_size)]
    pub size: Option<[usize; 2]>,
    /// Frames that the model makes, 8 k + 1; two of them are not shown. The model's own by default.
    #[arg(long)]
    pub frames: Option<usize>,
    /// Show portrait, driving frame (or guide) and result beside each other.
    #[arg(long)]
    pub side_by_side: bool,
    /// Quality of the video, 0 to 100.
    #[arg(long, default_value_t = 70)]
    pub quality: u8,
    /// Keep motion, guide clip, conditioning and latents in this directory.
    #[arg(long)]
    pub keep_intermediates: Option<PathBuf>,
    /// Clip length, drawing, sampling and detection of a driving video, and dynamic guidance as in the original's
    /// script, its defects included. A motion file is sampled exactly all the same.
    #[arg(long)]
    pub compat: bool,
    /// Keep the weights of the transformer's blocks in 8 bits: a 5B model takes 6.4 GB in place of 11.3, for slightly
    /// other pixels. Not faster.
    #[arg(long)]
    pub int8: bool,
    /// Keep the transformer's blocks in the host's memory and fetch them one by one: a card needs a few GB, and every
    /// step moves all weights twice.
    #[arg(long, conflicts_with = "int8")]
    pub offload: bool,
    /// Memory that the run may take, in MiB; by default what this machine has free, where it can be asked.
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u64>,
    /// Choose tiles, the order of the guidance passes, 8-bit weights and offloading so that the run fits into memory,
    /// with as few changes as do.
    #[arg(long)]
    pub fit: bool,
    /// Start even if the estimate says that memory will not do.
    #[arg(long, conflicts_with = "fit")]
    pub force: bool,
    #[command(flatten)]
    pub controls: Controls,
}

impl Animate {
    pub fn blocks(&self) -> BlockWeights {
        match (self.int8, self.offload) {
            (true, _) => BlockWeights::Int8,
            (_, true) => BlockWeights::Offloaded,
            _ => BlockWeights::Full,
        }
    }
}

/// A file, and how strongly it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraFile {
    pub path: PathBuf,
    pub strength: f64,
}

impl FromStr for LoraFile {
    type Err = std::convert::Infallible;

    /// A number behind the last colon is a strength; any other colon belongs to the path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let split = text.rsplit_once(':').and_then(|(path, strength)| Some((path, strength.parse().ok()?)));
        let (path, strength) = split.unwrap_or((text, 1.0));
        Ok(Self { path: path.into(), strength })
    }
}

#[derive(Debug, ClapArgs)]
pub struct Landmarks {
    /// A picture or a video.
    pub input: PathBuf,
    #[command(flatten)]
    pub face: FaceSource,
    #[command(flatten)]
    pub following: Following,
    #[command(flatten)]
    pub moving: Moving,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Write the motion: a motion file for any portrait.
    #[arg(long)]
    pub motion: Option<PathBuf>,
    /// Write points, scores and poses, as .json or as .safetensors.
    #[arg(long)]
    pub points: Option<PathBuf>,
    /// Write the frames with the points drawn over them: a video, or .png for a picture.
    #[arg(long)]
    pub overlay: Option<PathBuf>,
    /// Write the guide clip of the input's own face moved by the input.
    #[arg(long)]
    pub guide: Option<PathBuf>,
    /// HEIGHTxWIDTH of the guide clip in pixels.
    #[arg(long, value_parser = parse_size, default_value = "480x720")]
    pub size: [usize; 2],
    /// Read the video at this many frames per second; 0 takes every frame.
    #[arg(long, default_value_t = 0)]
    pub rate: u32,
}

#[derive(Debug, ClapArgs)]
pub struct Decode {
    /// `latents.safetensors` of `--keep-intermediates`.
    pub latents: PathBuf,
    /// The video to write.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Checkpoint directory that made the latents.
    #[arg(long)]
    pub model: PathBuf,
    #[command(flatten)]
    pub compute: Compute,
    /// Quality of the video, 0 to 100.
    #[arg(long, default_value_t = 70)]
    pub quality: u8,
}

#[derive(Debug, ClapArgs)]
pub struct Verify {
    /// Directory of golden files.
    #[arg(long, default_value = "tests/golden")]
    pub golden: PathBuf,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    pub device: String,
}

#[derive(Debug, ClapArgs)]
pub struct Tune {
    #[command(flatten)]
    pub compute: Compute,
    /// Checkpoint directory whose sizes are tuned for; its weights are not read.
    #[arg(long, conflicts_with = "sizes")]
    pub model: Option<PathBuf>,
    /// Sizes to tune for without a checkpoint; published on a card, tiny on the CPU.
    #[arg(long, value_enum)]
    pub sizes: Option<TuneSizes>,
    /// HEIGHTxWIDTH in pixels; the model's own by default.
    #[arg(long, value_parser = parse_size)]
    pub size: Option<[usize; 2]>,
    /// Frames of the clip, 8 k + 1; the model's own by default.
    #[arg(long)]
    pub frames: Option<usize>,
    /// Both guidance passes in one batch.
    #[arg(long)]
    pub batched_guidance: bool,
    /// The weights of the transformer's blocks in 8 bits.
    #[arg(long)]
    pub int8: bool,
    /// Runs of each stage after its first.
    #[arg(long, default_value_t = 3)]
    pub runs: usize,
}

/// Sizes without a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TuneSizes {
    /// 17 frames of 96x160, well under a million parameters.
    Tiny,
    /// 17 frames of 96x144, two million parameters in the denoiser.
    Nano,
    /// SkyReels-A1: 49 frames of 480x720, 5.6 billion parameters.
    Published,
}

impl std::fmt::Display for TuneSizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tiny => "tiny",
            Self::Nano => "nano",
            Self::Published => "published",
        })
    }
}

#[derive(Debug, ClapArgs)]
pub struct Inspect {
    /// Checkpoint directory.
    pub model: PathBuf,
    /// Precision of the memory plan.
    #[arg(long, default_value = "bf16")]
    pub precision: Precision,
    /// Device of the memory plan: auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    pub device: String,
}

#[derive(Debug, ClapArgs)]
pub struct Init {
    /// Directory to write.
    pub directory: PathBuf,
    /// Which sizes: tiny or nano.
    #[arg(long, default_value = "tiny")]
    pub preset: Preset,
    /// Seed of the weights.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N; the weights are the same everywhere.
    #[arg(long, default_value = "auto")]
    pub device: String,
}

#[derive(Debug, ClapArgs)]
pub struct Train {
    /// What to train, on what and how: a TOML file, or JSON where the name ends in .json.
    #[arg(long)]
    pub config: PathBuf,
    /// A configuration that is laid over the first one: tables are joined, lists of tables entry by entry, everything else is replaced. Can be
    /// given several times.
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    /// Seed of the run, in place of the configuration's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Directory of the run: checkpoints, samples, loss as .csv and .png.
    #[arg(short, long)]
    pub out: PathBuf,
    /// Go on with the newest checkpoint of the run, where there is one.
    #[arg(long)]
    pub resume: bool,
    /// Curves on the whole terminal instead of lines; q asks whether to stop.
    #[cfg(feature = "dashboard")]
    #[arg(long)]
    pub dashboard: bool,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N; several with commas share every batch.
    #[arg(long, default_value = "auto")]
    pub device: String,
}

pub fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let number = |part: &str| part.parse().map_err(|_| format!("`{part}` is not a number of pixels"));
    match text.split_once('x') {
        Some((height, width)) => Ok([number(height)?, number(width)?]),
        None => Err("write it as HEIGHTxWIDTH, for example 480x720".into()),
    }
}
