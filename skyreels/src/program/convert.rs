//! `skyreels convert`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use skyreels::ModelDir;
use skyreels::core::{Limits, Precision, open_device};

use super::init::write_directory;
use super::{Outcome, Reporter, Result};

#[derive(Debug, Args)]
pub struct Convert {
    /// Checkpoint directory.
    pub model: PathBuf,
    /// Directory to write, new or empty.
    #[arg(short, long)]
    pub output: PathBuf,
    /// f32, f16 or bf16; norms stay in f32, the vision tower is rounded too. A LoRA beside the model is not written.
    #[arg(long, default_value = "bf16")]
    pub precision: Precision,
}

pub fn run(args: &Convert, reporter: &Reporter) -> Result {
    let model = ModelDir::open(&args.model, &Limits::default())?;
    let device = open_device("cpu")?;
    write_directory(&args.output, |directory| model.convert(directory, args.precision, &device, reporter.progress()))?;
    reporter.say(
        &format!("wrote the checkpoint in {} into {}", args.precision, args.output.display()),
        json!({ "event": "done", "output": args.output }),
    );
    Ok(Outcome::Done)
}
