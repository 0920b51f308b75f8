//! The landmarker is the same on every device and in every thread.

mod mediapipe_support;

use mediapipe_support::{landmarker, media, picture, task};
use skyreels_core::{Device, Limits};
use skyreels_landmarks::{FaceLandmarker, FaceTracker};

#[test]
#[allow(deprecated, reason = "a second backend that needs nothing installed")]
fn a_second_backend_gives_the_same_face() {
    let Some(media) = media() else { return };
    let frame = picture(&media.join("portraits/1.png"));
    let [one, other] = [Device::flex(), Device::ndarray()].map(|device| {
        let landmarker = FaceLandmarker::open(&task(&media), &Limits::default(), &device).unwrap();
        landmarker.detect(&frame).unwrap().remove(0)
    });
    let width = frame.width() as f32;
    for (a, b) in one.landmarks.iter().zip(&other.landmarks) {
        assert!((a[0] - b[0]).abs() * width < 0.05 && (a[1] - b[1]).abs() * width < 0.05);
    }
    for (a, b) in one.blendshapes.iter().zip(&other.blendshapes) {
        assert!((a - b).abs() < 2e-3);
    }
}

#[test]
fn threads_share_one_landmarker() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    let tracker: &(dyn FaceTracker + Sync) = &landmarker;
    let frame = picture(&media.join("portraits/2.png"));
    let alone = tracker.detect(&frame).unwrap();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..2).map(|_| scope.spawn(|| tracker.detect(&frame).unwrap())).collect();
        for handle in handles {
            assert_eq!(handle.join().unwrap(), alone);
        }
    });
}
