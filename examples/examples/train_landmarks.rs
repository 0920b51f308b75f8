//! Trains the small landmark network on the rendered world, and says how good it is on people it has not seen. Goes on where it
//! was stopped.
//!
//! `cargo run --release -p skyreels-examples --example train_landmarks -- DIRECTORY [STEPS]`

use std::path::PathBuf;

use skyreels::core::{Progress, open_device};
use skyreels::landmarks::compact::CompactConfig;
use skyreels::train::landmarks::{LandmarkSettings, LandmarkTask};
use skyreels::train::optimise::{Decay, LearningRate};
use skyreels::train::run::{Note, RunSettings, Trainer};
use skyreels::train::stage::Stage;

/// Steps of a whole training.
const STEPS: u64 = 6000;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("name the directory to write")?);
    let steps = arguments.next().map_or(Ok(STEPS), |text| text.parse())?;
    let device = open_device("auto")?;
    let network = CompactConfig { side: 96, channels: vec![16, 24, 40, 64, 96], squeezed: 48, features: 160 };
    let settings =
        LandmarkSettings { network, identities: [1000, 1_000_000], held_out: [0, 1000], measured: 256, seed: SEED };
    let task = LandmarkTask::new(settings.clone(), &device)?;
    let rate = LearningRate { peak: 1.5e-3, warmup: 100, decay: Decay::Cosine { floor: 0.0 } };
    let mut stage = Stage::new("landmarks", &["*"], steps, 32, rate);
    stage.parameters.freeze.push("canonical".into());
    stage.clip_norm = Some(1.0);
    let run = RunSettings { checkpoint_every: 250, validate_every: 500, ..RunSettings::new(SEED, vec![stage]) };
    let first = LandmarkTask::new(settings, &device)?;
    std::fs::create_dir_all(&directory)?;
    let mut trainer = Trainer::resume(task, move || first.networks(), run, &directory)?;
    trainer.run(Progress::none(), |note| {
        match note {
            Note::Step { record, steps, .. } if record.step.is_multiple_of(50) => {
                println!("step {}/{steps}  loss {:.5}  {:.2} s", record.step, record.loss, record.seconds);
            }
            Note::HeldOut { step, loss } => println!("step {step}  held-out error {:.2} % of the face", 100.0 * loss),
            _ => {}
        }
        Ok(())
    })?;
    println!("{:?}", trainer.task().errors(trainer.networks(), Progress::none())?);
    Ok(())
}
