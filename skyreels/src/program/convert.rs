//! `skyreels convert`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use skyreels::ModelDir;
use skyreels::core::checkpoint::LORA_FILE;
use skyreels::core::{Limits, Precision, open_device};

use super::animate::with_loras;
use super::args::LoraFile;
use super::init::write_directory;
use super::{Outcome, Reporter, Result};

#[derive(Debug, Args)]
pub struct Convert {
    /// Checkpoint directory.
    pub model: PathBuf,
    /// Directory to write, new or empty.
    #[arg(short, long)]
    pub output: PathBuf,
    /// f32, f16 or bf16; norms stay in f32, the vision tower is rounded too.
    #[arg(long, default_value = "bf16")]
    pub precision: Precision,
    /// A LoRA to merge into the transformer, as with `animate`.
    #[arg(long, value_name = "FILE[:STRENGTH]")]
    pub lora: Vec<LoraFile>,
}

pub fn run(args: &Convert, reporter: &Reporter) -> Result {
    let model = with_loras(ModelDir::open(&args.model, &Limits::default())?, &args.lora)?;
    if args.lora.is_empty() && args.model.join(LORA_FILE).is_file() {
        reporter.note(&format!("{LORA_FILE} beside the model is left out; merge it with `--lora`"));
    }
    let device = open_device("cpu")?;
    write_directory(&args.output, |directory| model.convert(directory, args.precision, &device, reporter.progress()))?;
    reporter.say(
        &format!("wrote the checkpoint in {} into {}", args.precision, args.output.display()),
        json!({ "event": "done", "output": args.output }),
    );
    Ok(Outcome::Done)
}
