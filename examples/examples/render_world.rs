//! Draws people of the rendered world: a grid of portraits and a clip of one of them with its guide beside.
//!
//! `cargo run --release -p skyreels-examples --example render_world -- people.png performance.mp4`

use skyreels_core::media::{FrameRate, VideoOptions, write_clip, write_picture};
use skyreels_core::{Frame, Progress};
use skyreels_landmarks::draw::{Border, guide2d};
use skyreels_train::world::{Performance, Person, State};

const COLUMNS: u32 = 5;
const PEOPLE: u64 = 20;
const TILE: [u32; 2] = [240, 240];
const SEED: u64 = 4;
const FRAMES: usize = 48;
const RATE: u64 = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let grid = arguments.next().ok_or("name a picture to write")?;
    let clip = arguments.next().ok_or("name a video to write")?;

    let mut sheet = Frame::new(COLUMNS * TILE[0], PEOPLE.div_ceil(u64::from(COLUMNS)) as u32 * TILE[1]);
    for seed in 0..PEOPLE {
        let portrait = Person::from_seed(seed).pose(&State::default()).frame(TILE);
        let (column, row) = (seed as u32 % COLUMNS, seed as u32 / COLUMNS);
        beside(&mut sheet, &portrait, [column * TILE[0], row * TILE[1]]);
    }
    write_picture(grid, &sheet)?;

    let person = Person::from_seed(SEED);
    let frames = Performance::from_seed(SEED, FRAMES, RATE as f32);
    let draw = |state: State| {
        let posed = person.pose(&state);
        let points: Vec<[f32; 2]> = posed.face(TILE).landmarks.iter().map(|[x, y, _]| [*x, *y]).collect();
        let guide = guide2d(&points, TILE, Border::Clip).expect("a face has 478 landmarks");
        let mut both = Frame::new(2 * TILE[0], TILE[1]);
        beside(&mut both, &posed.frame(TILE), [0, 0]);
        beside(&mut both, &guide, [TILE[0], 0]);
        Ok(both)
    };
    let clips = frames.states().map(draw);
    write_clip(clip, clips, FrameRate::new(RATE, 1)?, None, &VideoOptions::default(), Progress::none())?;
    Ok(())
}

/// Copies a picture into a larger one.
fn beside(into: &mut Frame, picture: &Frame, [left, top]: [u32; 2]) {
    for (x, y, pixel) in picture.enumerate_pixels() {
        into.put_pixel(left + x, top + y, *pixel);
    }
}
