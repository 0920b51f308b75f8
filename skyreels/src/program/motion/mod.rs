//! `skyreels motion`: motion files made, changed, described and drawn.

mod edit;
mod extract;
mod info;
mod render;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skyreels::landmarks::{MeshPrecision, SaveOptions};

use super::args::parse_size;
use super::controls::Controls;
use super::face_args::{FaceSource, Following, Moving, SmirkFile};
use super::{Outcome, Reporter, Result};

#[derive(Debug, Args)]
pub struct MotionArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a motion file from a video of a face.
    Extract(Extract),
    /// Make a motion file from another one.
    Edit(Edit),
    /// Say what is in a motion file.
    Info(Info),
    /// Draw the guide clip of a portrait moved by a motion.
    Render(Render),
}

/// How a motion file is written.
#[derive(Debug, Args)]
struct Saving {
    /// Keep the mesh in half precision: half the size, a hundredth of a pixel off.
    #[arg(long)]
    compact: bool,
    /// Keep the driver's FLAME shape where there is one; it tells who the driver is.
    #[arg(long)]
    identity: bool,
}

#[derive(Debug, Args)]
struct Extract {
    /// A video of a face.
    video: PathBuf,
    /// The motion file to write.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    face: FaceSource,
    #[command(flatten)]
    following: Following,
    #[command(flatten)]
    smirk: SmirkFile,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Read the video at this many frames per second; 0 takes every frame.
    #[arg(long, default_value_t = 0)]
    rate: u32,
    #[command(flatten)]
    saving: Saving,
}

#[derive(Debug, Args)]
struct Edit {
    /// The motion file to change.
    motion: PathBuf,
    /// The motion file to write.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    controls: Controls,
    #[command(flatten)]
    saving: Saving,
}

#[derive(Debug, Args)]
struct Info {
    /// The motion file.
    motion: PathBuf,
}

#[derive(Debug, Args)]
struct Render {
    /// The motion file.
    motion: PathBuf,
    /// A picture, or `drawn:SEED` for one that this program draws.
    #[arg(long)]
    portrait: String,
    /// The guide clip to write, one frame per frame of the motion: .mp4, .gif, or numbered .png.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    face: FaceSource,
    #[command(flatten)]
    moving: Moving,
    /// auto, cpu, cuda, cuda:N, tch, tch:cuda:N, ndarray or ws://HOST:PORT/N.
    #[arg(long, default_value = "auto")]
    device: String,
    /// HEIGHTxWIDTH in pixels.
    #[arg(long, value_parser = parse_size, default_value = "480x720")]
    size: [usize; 2],
    /// Show the portrait beside it.
    #[arg(long)]
    side_by_side: bool,
    /// Quality of the video, 0 to 100.
    #[arg(long, default_value_t = 70)]
    quality: u8,
    #[command(flatten)]
    controls: Controls,
}

impl Saving {
    fn options(&self) -> SaveOptions {
        let mesh = if self.compact { MeshPrecision::F16 } else { MeshPrecision::F32 };
        SaveOptions { mesh, identity: self.identity }
    }
}

pub fn run(args: &MotionArgs, reporter: &Reporter) -> Result {
    match &args.command {
        Command::Extract(args) => extract::run(args, reporter),
        Command::Edit(args) => edit::run(args, reporter),
        Command::Info(args) => info::run(args, reporter),
        Command::Render(args) => render::run(args, reporter),
    }
}
