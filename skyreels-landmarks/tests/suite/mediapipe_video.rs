//! Video mode, free-running: MediaPipe's answers on every frame of the driving videos, landmarks to the bit.
//!
//! The loop from landmarks to the next crop, whose pixels are 8-bit values sampled at 1/32 pixel, amplifies: one grey level in one
//! pixel of the first frame moves all later landmarks of MediaPipe itself by up to 0.038 pixels in the mean of a video. So there is
//! no "nearly": a program that rounds otherwise anywhere drifts that far.

use std::time::{Duration, Instant};

use skyreels_core::Limits;
use skyreels_core::media::VideoReader;
use skyreels_landmarks::StreamOptions;

use crate::mediapipe_support::{Difference, Expected, landmarker, media};

fn check(video: u32) {
    let Some(media) = media() else { return };
    let mut stream = landmarker(&media).stream(&StreamOptions::mediapipe()).unwrap();
    let expected = Expected::read(&media, &format!("driving_{video}.safetensors"), "video");
    let reader = VideoReader::open(media.join(format!("driving/{video}.mp4")), &Limits::default()).unwrap();
    let rate = reader.info().frame_rate.as_f64();
    let (mut worst, mut frames, mut time) = (Difference::default(), 0, Duration::ZERO);
    for (i, frame) in reader.select((0..expected.len() as u64).collect()).enumerate() {
        let frame = frame.unwrap().image;
        let start = Instant::now();
        let faces = stream.track(&frame, Duration::from_millis((i as f64 * 1000.0 / rate) as u64)).unwrap();
        time += start.elapsed();
        assert!(faces.iter().all(|face| face.id == Some(0)), "one person from the first frame to the last");
        let what = format!("video {video}, frame {i}");
        worst = worst.worst(expected.check(i, &faces, &frame, &what));
        frames += 1;
    }
    assert_eq!(frames as usize, expected.len());
    println!("video {video}: worst {worst:?}, {:?} per frame", time / frames);
}

#[test]
fn video_1_gets_mediapipes_answer_on_every_frame() {
    check(1);
}

#[test]
fn video_3_gets_mediapipes_answer_on_every_frame() {
    check(3);
}

#[test]
fn video_4_gets_mediapipes_answer_on_every_frame() {
    check(4);
}

#[test]
fn video_7_gets_mediapipes_answer_on_every_frame() {
    check(7);
}
