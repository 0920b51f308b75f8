//! Draws a guide clip without any network: a drawn portrait moved by a motion file.
//!
//! `cargo run --release -p skyreels-examples --example draw_guide -- motion.safetensors guide.mp4`

use skyreels_core::media::{FrameRate, VideoOptions, write_clip};
use skyreels_core::{Limits, Progress};
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::{
    ClipPlan, CropBox, GuideLayout, MeshRetargeter, Motion, PortraitFace, Retargeter, guide_clip, synthetic,
};

const WIDTH: u32 = 720;
const HEIGHT: u32 = 480;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let motion = arguments.next().ok_or("name a motion file")?;
    let output = arguments.next().ok_or("name the video to write")?;

    let motion = Motion::open(motion, &Limits::default())?;
    let (_, face) = synthetic::portrait(WIDTH, HEIGHT, 1)?;
    let portrait = PortraitFace::new(&face, [WIDTH, HEIGHT])?;
    let moved = MeshRetargeter::default().retarget(&portrait, &motion)?;

    let plan = ClipPlan::fitted(moved.len(), 49)?;
    let crop = CropBox { x: 0, y: 0, width: WIDTH, height: HEIGHT };
    let layout = GuideLayout { canvas: [WIDTH, HEIGHT], crop, border: Border::Clip };
    let clip = guide_clip(&portrait, &moved, &plan, &layout, Progress::none())?;

    let options = VideoOptions::default();
    write_clip(output, clip.into_iter().map(Ok), FrameRate::NATIVE, None, &options, Progress::none())?;
    Ok(())
}
