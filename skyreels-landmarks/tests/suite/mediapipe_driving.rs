//! Driving videos: MediaPipe's answer on every listed frame, each looked at on its own.

use std::time::{Duration, Instant};

use skyreels_core::Limits;
use skyreels_core::media::VideoReader;
use skyreels_landmarks::LandmarkerOptions;

use crate::mediapipe_support::{Difference, Expected, landmarker, media};

/// Confidence at which the reference answers were made.
const CONFIDENCE: f32 = 0.1;

fn check(video: u32) {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media)
        .with_options(LandmarkerOptions {
            min_detection_confidence: CONFIDENCE,
            min_presence_confidence: CONFIDENCE,
            ..LandmarkerOptions::default()
        })
        .unwrap();
    let expected = Expected::read(&media, &format!("driving_{video}.safetensors"), "image");
    let frames = VideoReader::open(media.join(format!("driving/{video}.mp4")), &Limits::default()).unwrap();
    let mut worst = Difference::default();
    let mut times = Vec::new();
    for (i, frame) in frames.select(expected.frame_index()).enumerate() {
        let frame = frame.unwrap();
        let start = Instant::now();
        let faces = landmarker.detect(&frame.image).unwrap();
        times.push(start.elapsed());
        let what = format!("video {video}, frame {}", frame.index);
        worst = worst.worst(expected.check(i, &faces, &frame.image, &what));
    }
    assert_eq!(times.len(), expected.frame_index().len());
    times.sort_unstable();
    let total: Duration = times.iter().sum();
    let (median, mean) = (times[times.len() / 2], total / times.len() as u32);
    println!("video {video}: {worst:?}; {median:?} per frame (median), {mean:?} (mean)");
}

#[test]
fn video_1_gets_mediapipes_answer_on_every_listed_frame() {
    check(1);
}

#[test]
fn video_3_gets_mediapipes_answer_on_every_listed_frame() {
    check(3);
}

#[test]
fn video_4_gets_mediapipes_answer_on_every_listed_frame() {
    check(4);
}

#[test]
fn video_7_gets_mediapipes_answer_on_every_listed_frame() {
    check(7);
}
