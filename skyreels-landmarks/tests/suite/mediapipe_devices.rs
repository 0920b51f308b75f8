//! The landmarker is the same on every device and in every thread.

use skyreels_core::{Device, Limits};
use skyreels_landmarks::{FaceLandmarker, FaceTracker};

use crate::mediapipe_support::{landmarker, media, picture, task};

#[test]
#[allow(deprecated, reason = "a second backend that needs nothing installed")]
fn a_second_backend_and_convolutions_of_burn_give_the_same_face() {
    let Some(media) = media() else { return };
    let frame = picture(&media.join("portraits/1.png"));
    let face = |device: Device| {
        let landmarker = FaceLandmarker::open(&task(&media), &Limits::default(), &device).unwrap();
        landmarker.detect(&frame).unwrap().remove(0)
    };
    let (one, width) = (face(Device::flex()), frame.width() as f32);
    // With autodiff nothing is computed past Burn, as on devices that have their own memory.
    for (other, pixels, score) in [(Device::ndarray(), 0.0, 1e-5), (Device::flex().autodiff(), 0.02, 2e-3)] {
        let other = face(other);
        let distances =
            one.landmarks.iter().zip(&other.landmarks).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]) * width);
        let mean = distances.sum::<f32>() / one.landmarks.len() as f32;
        let scores = one.blendshapes.iter().zip(&other.blendshapes).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("mean {mean} pixels, worst score {scores}");
        assert!(mean <= pixels && scores < score, "{mean} pixels, {scores}");
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
