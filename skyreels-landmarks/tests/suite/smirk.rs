//! From a picture to FLAME's coefficients, with an untrained encoder.

use skyreels_core::checkpoint::save;
use skyreels_core::{Device, Limits};
use skyreels_landmarks::smirk::{CROP_SIDE, SmirkConfig, SmirkTracker};
use skyreels_landmarks::{CropBox, Error, synthetic};

/// A picture, and its 478 points in pixels.
fn portrait() -> (skyreels_core::Frame, Vec<[f64; 2]>) {
    let (picture, face) = synthetic::portrait(180, 160, 3).unwrap();
    let pixel = |[x, y, _]: &[f32; 3]| [f64::from(*x) * 180.0, f64::from(*y) * 160.0];
    let points = face.landmarks.iter().map(pixel).collect();
    (picture, points)
}

#[test]
fn a_tracked_face_has_every_coefficient_within_its_limits() {
    let device = Device::flex();
    let tracker = SmirkTracker::new(SmirkConfig::default().init(&device), &device);
    let (picture, points) = portrait();
    let (face, square) = tracker.coefficients(&picture, &points).unwrap();
    assert_eq!((face.shape.len(), face.expression.len()), (300, 50));
    assert!(face.eyelids.iter().all(|lid| (0.0..=1.0).contains(lid)));
    assert!(face.jaw[0] >= 0.0 && face.jaw[1..].iter().all(|turn| turn.abs() <= 0.2));
    let eyes = face.eyes.unwrap();
    assert_eq!(eyes[0].iris.map(f64::from), points[468].map(|v| f64::from(v as f32)));
    assert_eq!(square.cut(&picture).dimensions(), (CROP_SIDE, CROP_SIDE));
    let crop = CropBox { x: 0, y: 0, width: 180, height: 160 };
    assert_eq!(tracker.portrait(&picture, &points, crop).unwrap().square, square);
}

#[test]
fn a_saved_encoder_sees_the_same() {
    let device = Device::flex();
    let encoder = SmirkConfig::default().init(&device);
    let directory = tempfile::tempdir().unwrap();
    save(&encoder, directory.path(), "smirk", usize::MAX).unwrap();
    let path = directory.path().join("smirk.safetensors");
    let opened = SmirkTracker::open(&path, &Limits::default(), &device).unwrap();
    let (picture, points) = portrait();
    let seen = |tracker: &SmirkTracker| {
        let face = tracker.coefficients(&picture, &points).unwrap().0;
        [&face.rotation[..], &face.camera, &face.shape, &face.expression, &face.jaw, &face.eyelids].concat()
    };
    // Weights that were read lie otherwise in memory than drawn ones, and are summed up in another order.
    let (drawn, read) = (seen(&SmirkTracker::new(encoder, &device)), seen(&opened));
    assert_eq!(drawn.len(), read.len());
    assert!(drawn.iter().zip(&read).all(|(a, b)| (a - b).abs() < 1e-6), "{drawn:?} {read:?}");
}

#[test]
fn points_that_are_no_face_and_files_that_are_no_encoder_are_refused() {
    let device = Device::flex();
    let tracker = SmirkTracker::new(SmirkConfig::default().init(&device), &device);
    let (picture, mut points) = portrait();
    assert!(tracker.coefficients(&picture, &points[..468]).is_err());
    points[7] = [f64::NAN; 2];
    assert!(matches!(tracker.coefficients(&picture, &points), Err(Error::Invalid { .. })));
    let missing = SmirkTracker::open("no-such-file.safetensors", &Limits::default(), &device);
    assert!(missing.unwrap_err().to_string().contains("no-such-file"));
}
