//! Writes a motion file that moves any portrait: turns of the head, blinks, a smile, speech.
//!
//! `cargo run --release -p skyreels-examples --example make_performance -- performance.safetensors`

use skyreels_landmarks::synthetic;

/// Frames that the published model's clip shows: 49 less the two leading ones, just under four seconds.
const FRAMES: usize = 47;
/// Frames per second of the published model.
const RATE: f64 = 12.0;
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    synthetic::performance(FRAMES, RATE, SEED)?.save(path)?;
    Ok(())
}
