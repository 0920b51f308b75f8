//! The small landmark network as a tracker, untrained: what it does with frames, files and options.

use std::time::Duration;

use burn::tensor::{DType, Tensor, TensorData};
use skyreels_core::checkpoint::{fill, initial_values, save};
use skyreels_core::{Device, Frame, Limits, Precision};
use skyreels_landmarks::compact::{CompactConfig, CompactLandmarker, CompactNetwork, CompactOptions};
use skyreels_landmarks::{Error, FaceTracker, LANDMARKS, StreamOptions, synthetic};

fn config() -> CompactConfig {
    CompactConfig { side: 32, channels: vec![4, 6, 8], squeezed: 4, features: 12 }
}

/// An untrained network that knows the head of a drawn portrait, and thinks that every view shows it in its middle.
fn network(device: &Device) -> CompactNetwork {
    let (_, face) = synthetic::portrait(100, 100, 1).unwrap();
    let tensor = |points: Vec<[f32; 3]>| {
        Tensor::from_data(TensorData::new(points.into_flattened(), [LANDMARKS, 3]), (device, DType::F32))
    };
    let network = fill(config().init(device).unwrap(), Precision::F32, |key, shape| initial_values(1, key, shape));
    let scores =
        Tensor::from_data(TensorData::new(face.blendshapes.to_vec(), [face.blendshapes.len()]), (device, DType::F32));
    network.with_means(tensor(face.landmarks), scores, tensor(face.head_points))
}

fn landmarker() -> CompactLandmarker {
    let device = Device::flex();
    let landmarker = CompactLandmarker::new(network(&device), &config(), &device).unwrap();
    // Untrained, it is not sure of anything.
    landmarker.with_options(CompactOptions { min_presence: 0.0 })
}

#[test]
fn a_face_is_whole_and_the_same_in_picture_and_stream() {
    let landmarker = landmarker();
    let (picture, _) = synthetic::portrait(120, 90, 2).unwrap();
    let found = landmarker.detect(&picture).unwrap();
    let [face] = found.as_slice() else { panic!("{} faces", found.len()) };
    assert_eq!((face.landmarks.len(), face.head_points.len(), face.id), (LANDMARKS, LANDMARKS, None));
    assert!(face.blendshapes.iter().all(|score| (0.0..=1.0).contains(score)));
    assert!(face.scale() > 0.0 && face.translation()[2] < 0.0, "in front of the camera");
    let mut stream = landmarker.stream(&StreamOptions::image()).unwrap();
    for time in [1, 2] {
        let seen = stream.track(&picture, Duration::from_millis(time)).unwrap();
        assert_eq!((seen.len(), seen[0].id), (1, Some(0)));
        assert_eq!(seen[0].landmarks, face.landmarks);
    }
    assert!(stream.track(&picture, Duration::from_millis(2)).is_err(), "time stands still");
    assert!(landmarker.detect(&Frame::new(0, 5)).is_err());
    assert!(landmarker.with_options(CompactOptions { min_presence: 1.0 }).detect(&picture).unwrap().is_empty());
}

#[test]
fn a_saved_network_sees_the_same_on_every_cpu_backend() {
    let device = Device::flex();
    let directory = tempfile::tempdir().unwrap();
    save(&network(&device), directory.path(), "model", usize::MAX).unwrap();
    std::fs::write(directory.path().join("config.json"), serde_json::to_vec(&config()).unwrap()).unwrap();
    let (picture, _) = synthetic::portrait(64, 80, 3).unwrap();
    let expected = landmarker().detect(&picture).unwrap();
    #[allow(deprecated)]
    for device in [Device::flex(), Device::ndarray()] {
        let opened = CompactLandmarker::open(directory.path(), &Limits::default(), &device).unwrap();
        let seen = opened.with_options(CompactOptions { min_presence: 0.0 }).detect(&picture).unwrap();
        let pairs = seen[0].landmarks.iter().flatten().zip(expected[0].landmarks.iter().flatten());
        assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-5);
    }
}

#[test]
fn sizes_that_cannot_be_and_heads_that_are_none_are_refused() {
    let device = Device::flex();
    let refused = |config: CompactConfig, word: &str| {
        let error = config.init(&device).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(CompactConfig { side: 36, ..config() }, "side");
    refused(CompactConfig { side: 0, ..config() }, "side");
    refused(CompactConfig { channels: vec![], ..config() }, "channels");
    refused(CompactConfig { channels: vec![8; 70], ..config() }, "stages");
    refused(CompactConfig { features: 0, ..config() }, "features");
    refused(CompactConfig { squeezed: usize::MAX, ..config() }, "squeezed");
    let headless = config().init(&device).unwrap();
    let error = CompactLandmarker::new(headless, &config(), &device).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    let missing = CompactLandmarker::open("no-such-directory".as_ref(), &Limits::default(), &device);
    assert!(missing.map(|_| ()).unwrap_err().to_string().contains("no-such-directory"));
}
