//! Commands, progress bars and exit codes.

mod animate;
mod args;
mod controls;
mod convert;
mod decode;
mod demo;
mod eval;
mod face_args;
mod faces;
mod init;
mod inspect;
mod landmarks;
mod motion;
mod nano;
mod points;
mod prepare;
mod report;
mod row;
mod serve;
mod source;
mod train;
mod tune;
mod verify;

use std::process::ExitCode;

use clap::Parser;
use skyreels::Error;

use args::{Args, Command};
use report::Reporter;

/// A check that was asked for did not pass.
const CHECK_FAILED: u8 = 1;
/// Input, options or files were refused.
const REFUSED: u8 = 2;
/// Stopped by Ctrl-C, as shells have it.
const CANCELLED: u8 = 130;

/// What a command has to say at its end.
enum Outcome {
    Done,
    CheckFailed,
}

pub fn main() -> ExitCode {
    let args = Args::parse();
    skyreels_core::keep_freed_memory();
    let reporter = Reporter::new(args.json);
    let result = match &args.command {
        Command::Animate(command) => animate::run(command, &reporter),
        Command::Demo(command) => demo::demo(command, &reporter),
        Command::Measure(command) => demo::run_measure(command, &reporter),
        Command::Landmarks(command) => landmarks::run(command, &reporter),
        Command::Motion(command) => motion::run(command, &reporter),
        Command::Decode(command) => decode::run(command, &reporter),
        Command::Eval(command) => eval::run(command, &reporter),
        Command::Verify(command) => verify::run(command, &reporter),
        Command::Inspect(command) => inspect::run(command, &reporter),
        Command::Tune(command) => tune::run(command, &reporter),
        Command::Prepare(command) => prepare::run(command, &reporter),
        Command::Init(command) => init::run(command, &reporter),
        Command::Convert(command) => convert::run(command, &reporter),
        Command::Train(command) => train::run(command, &reporter),
        Command::Serve(command) => serve::run(command, &reporter),
    };
    reporter.finish();
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::CheckFailed) => CHECK_FAILED.into(),
        Err(error) => {
            reporter.error(&error);
            if error.is_cancelled() { CANCELLED.into() } else { REFUSED.into() }
        }
    }
}

type Result<T = Outcome, E = Error> = std::result::Result<T, E>;
