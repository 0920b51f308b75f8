mod mediapipe_support;
use std::time::{Duration, Instant};
use mediapipe_support::{Difference, Expected, landmarker, media};
use skyreels_core::Limits;
use skyreels_core::media::VideoReader;
use skyreels_landmarks::StreamOptions;

fn check(video: u32) {
    let Some(media) = media() else { return };
    let mut stream = landmarker(&media).stream(&StreamOptions::mediapipe()).unwrap();
    let expected = Expected::read(&media, &format!("driving_{video}.safetensors"), "video");
    let reader = VideoReader::open(media.join(format!("driving/{video}.mp4")), &Limits::default()).unwrap();
    let fps = reader.info().frame_rate.as_f64();
    let mut worst = Difference::default();
    let mut all = vec![];
    let start = Instant::now();
    for (i, frame) in reader.select((0..expected.len() as u64).collect()).enumerate() {
        let frame = frame.unwrap();
        let at = Duration::from_millis((i as f64 * 1000.0 / fps) as u64);
        let faces = stream.track(&frame.image, at).unwrap();
        let d = expected.measure(i, &faces, &frame.image, &format!("video {video}, frame {i}"));
        if i < 4 || d.landmarks > 0.03 { println!("{i} {d:?}"); }
        worst = worst.worst(d);
        all.push(d);
    }
    let mean = |f: fn(&Difference) -> f32| all.iter().map(f).sum::<f32>() / all.len() as f32;
    let over = all.iter().filter(|d| d.landmarks >= 0.02).count();
    println!("video {video}: worst {worst:?} mean {} {} {} {} over {over}/{} {:?}", mean(|d| d.landmarks), mean(|d| d.depth), mean(|d| d.blendshapes), mean(|d| d.matrix), all.len(), start.elapsed());
}
#[test]
fn v1() { check(1) }
#[test]
fn v3() { check(3) }
#[test]
fn v4() { check(4) }
#[test]
fn v7() { check(7) }
