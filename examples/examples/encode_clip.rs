//! Encodes a video with a checkpoint's VAE, decodes it again, and says how much was lost.
//!
//! `cargo run --release -p skyreels-examples --example encode_clip -- CHECKPOINT/vae video.mp4`

use skyreels::{frames_to_tensor, tensor_to_frames};
use skyreels_core::media::VideoReader;
use skyreels_core::resize::fit;
use skyreels_core::{Frame, Limits, Precision, Progress, open_device};
use skyreels_vae::{CausalVae, Tiling};

const FRAMES: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("name the folder of a VAE")?;
    let video = arguments.next().ok_or("name a video")?;

    let (limits, device) = (Limits::default(), open_device("auto")?);
    let vae = CausalVae::load(directory, &limits, Precision::F32, &device, Progress::none())?;
    let (width, height) = (vae.config().sample_width as u32, vae.config().sample_height as u32);
    let frames = VideoReader::open(video, &limits)?.take(FRAMES).map(|frame| fit(&frame?.image, width, height));
    let frames: Vec<Frame> = frames.collect::<Result<_, _>>()?;
    vae.config().check_clip(frames.len())?;

    let latents = vae.encode(frames_to_tensor(&frames, &device), Tiling::On, Progress::none())?.mode();
    println!("latents {:?}", latents.dims());
    let back = tensor_to_frames(vae.decode(latents, Tiling::On, Progress::none())?)?;

    let pairs = frames.iter().zip(&back).flat_map(|(a, b)| a.as_raw().iter().zip(b.as_raw()));
    let (sum, count) =
        pairs.fold((0f64, 0f64), |(sum, count), (a, b)| (sum + f64::from(a.abs_diff(*b)).powi(2), count + 1.0));
    println!("PSNR {:.2} dB", 10.0 * (255f64.powi(2) / (sum / count)).log10());
    Ok(())
}
