//! Video mode against MediaPipe's: from its own last frame, every next frame.
//!
//! MediaPipe's video mode feeds each frame's landmarks into the next one's crop, whose pixels are 8-bit values sampled at
//! 1/32 pixel. That loop amplifies: one grey level in one pixel of the first frame moves all later landmarks of
//! MediaPipe itself by 0.02 to 0.038 pixels in the mean, up to 0.16 (0.10.21, `benches/peer/mediapipe_drift.py`). So two
//! programs that round differently anywhere drift apart that far, and no further. What can be compared
//! exactly is each turn of the loop: here the last frame is MediaPipe's, and the next must be, too. `tests/mediapipe_video`
//! lets the loop run free.

use std::path::Path;
use std::time::Duration;

use safetensors::SafeTensors;
use skyreels_core::media::VideoReader;
use skyreels_core::{Device, Limits};

use super::landmarker::{Candidate, Sight, size};
use super::region::next_region;
use super::{BLENDSHAPES, FaceLandmarker, LANDMARKS};
use crate::smoothing::{LandmarkFilter, OneEuro, Smoothing};

/// Largest mean distance of a landmark from MediaPipe's, in pixels.
const LANDMARK_BAR: f32 = 0.02;
/// Largest mean difference of an expression score.
const BLENDSHAPE_BAR: f32 = 2e-4;
/// Largest difference of an entry of the pose matrix (centimetres in its last column).
const MATRIX_BAR: f32 = 5e-3;

fn check(video: u32) {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media"));
    if !media.is_dir() {
        println!("skipped: the reference media are not in {}", media.display());
        return;
    }
    let task = media.join("models/face_landmarker_v2_with_blendshapes.task");
    let landmarker = FaceLandmarker::open(&task, &Limits::default(), &Device::flex()).unwrap();
    let bytes = std::fs::read(media.join(format!("expected/driving_{video}.safetensors"))).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = tensors.tensor(&format!("video.{name}")).unwrap().data().to_vec();
        values.as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect()
    };
    let landmarks = floats("landmarks");
    let expected = landmarks.as_chunks::<3>().0.chunks_exact(LANDMARKS);
    let (blendshapes, matrices) = (floats("blendshapes"), floats("matrix"));

    let reader = VideoReader::open(media.join(format!("driving/{video}.mp4")), &Limits::default()).unwrap();
    let rate = reader.info().frame_rate.as_f64();
    let mut filter = LandmarkFilter::new(Smoothing::OneEuro(OneEuro::MEDIAPIPE));
    let mut place: Option<Candidate> = None;
    let mut all = Vec::new();
    for (i, (frame, expected)) in reader.select((0..expected.len() as u64).collect()).zip(expected).enumerate() {
        let frame = frame.unwrap().image;
        let size = size(&frame).unwrap();
        let at = Duration::from_millis((i as f64 * 1000.0 / rate) as u64);
        let place_now = place.unwrap_or_else(|| landmarker.candidates(&frame).unwrap()[0]);
        let seen = landmarker.look(&frame, &place_now).unwrap().unwrap();
        let mut smoothed = seen.landmarks.clone();
        filter.clone().apply(&mut smoothed, at, size);
        let face = landmarker.face(Sight { landmarks: smoothed, ..seen.clone() }, size).unwrap().unwrap();

        let distances = face.landmarks.iter().zip(expected);
        let distance = |(a, b): (&[f32; 3], &[f32; 3])| ((a[0] - b[0]) * size[0]).hypot((a[1] - b[1]) * size[1]);
        let points = distances.map(distance).sum::<f32>() / LANDMARKS as f32;
        let differences = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>();
        let scores = differences(&face.blendshapes, &blendshapes[i * BLENDSHAPES..]);
        let scores = scores.iter().sum::<f32>() / BLENDSHAPES as f32;
        let pose = differences(face.matrix.as_flattened(), &matrices[i * 16..][..16]).into_iter().fold(0.0, f32::max);
        all.push([points, scores, pose]);

        // The next frame begins where MediaPipe's does: at the points it saw, before it smoothed them.
        let raw = filter.invert(expected, &seen.landmarks, at, size);
        place = Some(Candidate { region: next_region(&raw, size), ..place_now });
    }
    let worst = |k: usize| all.iter().map(|d| d[k]).fold(0.0, f32::max);
    println!("video {video}, {} frames: worst {:?}", all.len(), [0, 1, 2].map(worst));
    for (i, [points, scores, pose]) in all.into_iter().enumerate() {
        let what = format!("video {video}, frame {i}: {points} {scores} {pose}");
        assert!(points < LANDMARK_BAR && scores < BLENDSHAPE_BAR && pose < MATRIX_BAR, "{what}");
    }
}

#[test]
fn video_1_goes_on_from_mediapipes_last_frame_as_mediapipe_does() {
    check(1);
}

#[test]
fn video_3_goes_on_from_mediapipes_last_frame_as_mediapipe_does() {
    check(3);
}

#[test]
fn video_4_goes_on_from_mediapipes_last_frame_as_mediapipe_does() {
    check(4);
}

#[test]
fn video_7_goes_on_from_mediapipes_last_frame_as_mediapipe_does() {
    check(7);
}
