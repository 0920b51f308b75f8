//! Writes what `examples/assets` holds: portraits and driving clips of rendered people whom no network of this repository
//! was trained on, and a motion file that moves any portrait.
//!
//! `cargo run --release -p skyreels-examples --example make_assets -- examples/assets`

use std::path::PathBuf;

use skyreels_core::Progress;
use skyreels_core::media::{FrameRate, VideoOptions, write_clip, write_picture};
use skyreels_landmarks::synthetic;
use skyreels_train::world::{Performance, Person, State};

/// Frames that the published model's clip shows: 49 less the two leading ones, just under four seconds.
const FRAMES: usize = 47;
/// Frames per second of the published model.
const RATE: u64 = 12;
/// Width and height, twice those of the small model.
const SIZE: [u32; 2] = [288, 192];
/// People who are drawn at rest.
const PORTRAITS: [u64; 3] = [2_000_101, 2_000_103, 2_000_107];
/// People who perform.
const DRIVERS: [u64; 2] = [2_000_111, 2_000_113];
const MOTION_SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or("name the directory to write into")?);
    synthetic::performance(FRAMES, RATE as f64, MOTION_SEED)?.save(directory.join("performance.safetensors"))?;
    for (number, seed) in (1..).zip(PORTRAITS) {
        let portrait = Person::from_seed(seed).pose(&State::default()).frame(SIZE);
        write_picture(directory.join(format!("portrait_{number}.png")), &portrait)?;
    }
    for (number, seed) in (1..).zip(DRIVERS) {
        let (person, performance) = (Person::from_seed(seed), Performance::from_seed(seed, FRAMES, RATE as f32));
        let frames = performance.states().map(|state| Ok(person.pose(&state).frame(SIZE)));
        let file = directory.join(format!("driving_{number}.mp4"));
        write_clip(file, frames, FrameRate::new(RATE, 1)?, None, &VideoOptions::default(), Progress::none())?;
    }
    Ok(())
}
