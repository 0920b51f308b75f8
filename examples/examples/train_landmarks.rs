//! Trains the small landmark network on the rendered world, writes it, and says how good it is on people it has not seen.
//!
//! `cargo run --release -p skyreels-examples --example train_landmarks -- DIRECTORY [STEPS]`

use std::path::PathBuf;
use std::time::Instant;

use skyreels::core::checkpoint::{SHARD_BYTES, save};
use skyreels::core::output::write_file;
use skyreels::core::{Progress, open_device};
use skyreels::landmarks::compact::CompactConfig;
use skyreels::train::landmarks::{LandmarkErrors, LandmarkTraining, Samples};

/// Samples of people that were not trained on.
const HELD_OUT: u64 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("name the directory to write")?);
    let steps = arguments.next().map_or(Ok(6000), |text| text.parse())?;
    let training = LandmarkTraining {
        network: CompactConfig { side: 96, channels: vec![16, 24, 40, 64, 96], squeezed: 48, features: 160 },
        identities: [1000, 1_000_000],
        seed: 1,
        steps,
        batch: 32,
        learning_rate: 1.5e-3,
        weight_decay: 1e-4,
    };
    let device = open_device("auto")?;
    let (start, mut sum) = (Instant::now(), 0.0);
    let log = |step: u64, loss: f32| {
        sum += loss;
        if (step + 1).is_multiple_of(100) {
            println!("step {:5}  loss {:.5}  {:.0} s", step + 1, sum / 100.0, start.elapsed().as_secs_f64());
            sum = 0.0;
        }
    };
    let network = training.run(&device, log, Progress::none())?;
    std::fs::create_dir_all(&directory)?;
    save(&network, &directory, "model", SHARD_BYTES)?;
    write_file(directory.join("config.json"), &serde_json::to_vec_pretty(&training.network)?)?;
    let held_out = Samples { identities: 0..1000, seed: 2, ..training.samples() };
    let errors = LandmarkErrors::measure(&network, &held_out, HELD_OUT, &device, Progress::none())?;
    println!("{errors:?}");
    Ok(())
}
