//! One frame of face tracking, on its own and as part of a stream. Needs MediaPipe's face model and a picture with a face:
//! `SKYREELS_FACE_MODEL` and `SKYREELS_PORTRAIT`.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use skyreels_core::media::read_picture;
use skyreels_core::resize::fit;
use skyreels_core::{Limits, open_device};
use skyreels_landmarks::{FaceLandmarker, StreamOptions};

/// Time between two frames of a stream.
const FRAME: Duration = Duration::from_millis(40);

fn landmarks(criterion: &mut Criterion) {
    let (Ok(model), Ok(portrait)) = (std::env::var("SKYREELS_FACE_MODEL"), std::env::var("SKYREELS_PORTRAIT")) else {
        println!("skipped: set SKYREELS_FACE_MODEL and SKYREELS_PORTRAIT");
        return;
    };
    let limits = Limits::default();
    let device = open_device("auto").expect("a device is compiled in");
    let tracker = FaceLandmarker::open(model.as_ref(), &limits, &device).expect("the face model opens");
    let picture = read_picture(portrait, &limits).expect("the portrait opens");
    let frame = fit(&picture, 1280, 720).expect("the portrait can be resized");
    assert!(!tracker.detect(&frame).expect("the tracker runs").is_empty(), "the portrait shows no face");
    criterion.bench_function("landmarks/frame_720p", |bencher| {
        bencher.iter(|| tracker.detect(&frame).expect("the tracker runs"));
    });
    for (name, options) in [("video", StreamOptions::default()), ("video_smoothed", StreamOptions::mediapipe())] {
        let mut stream = tracker.stream(&options).expect("the options are valid");
        let mut at = Duration::ZERO;
        criterion.bench_function(&format!("landmarks/{name}_720p"), |bencher| {
            bencher.iter(|| {
                at += FRAME;
                assert_eq!(stream.track(&frame, at).expect("the tracker runs").len(), 1);
            });
        });
    }
}

criterion_group!(benches, landmarks);
criterion_main!(benches);
