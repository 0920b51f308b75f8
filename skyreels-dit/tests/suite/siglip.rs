//! What the vision tower promises beyond the original's answers.

use burn::tensor::{DType, Tensor};
use skyreels_core::golden::Golden;
use skyreels_core::{Device, Frame, Precision, Progress};
use skyreels_dit::{Error, SiglipConfig};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/siglip.json");

#[test]
fn the_pooling_head_is_left_in_the_file_unless_asked_for() {
    let (file, device) = (Golden::open(GOLDEN).unwrap(), Device::flex());
    let config: SiglipConfig = file.config("").unwrap();
    let load = |tower| file.weights("").load(tower, Precision::F32, Progress::none()).unwrap();
    let (bare, whole) = (load(config.init(&device).unwrap()), load(config.init_with_head(&device).unwrap()));
    let pixels: Tensor<4> = file.tensor("pixel_values", &device).unwrap();
    let tokens = bare.forward(pixels.clone()).unwrap();
    tokens.to_data().assert_eq(&whole.forward(pixels).unwrap().into_data(), true);
    assert!(bare.pool(tokens.clone()).is_none());
    assert!(whole.pool(tokens).is_some());
}

#[test]
fn half_precision_weights_stay_within_two_percent_of_f32() {
    let (file, device) = (Golden::open(GOLDEN).unwrap(), Device::flex());
    let config: SiglipConfig = file.config("").unwrap();
    let run = |precision| {
        let tower = file.weights("").load(config.init(&device).unwrap(), precision, Progress::none()).unwrap();
        let pixels: Tensor<4> = file.tensor("pixel_values", &device).unwrap();
        tower.forward(pixels).unwrap().cast(DType::F32)
    };
    let norm = |x: Tensor<3>| x.into_data().iter::<f64>().map(|v| v * v).sum::<f64>().sqrt();
    let exact = run(Precision::F32);
    for precision in [Precision::BF16, Precision::F16] {
        let difference = norm(run(precision) - exact.clone()) / norm(exact.clone());
        assert!(difference < 2e-2, "{precision}: {difference:e}");
    }
}

#[test]
fn pixels_are_scaled_to_plus_and_minus_one_channel_by_channel() {
    let config = SiglipConfig { image_size: 4, patch_size: 2, ..SiglipConfig::so400m() };
    let mut picture = Frame::new(4, 4);
    picture.put_pixel(1, 0, image::Rgb([255, 51, 0]));
    let values: Vec<f32> = config.pixel_values(&picture, &Device::flex()).unwrap().into_data().iter().collect();
    assert_eq!(values.len(), 3 * 16);
    assert_eq!([values[0], values[1], values[16 + 1], values[32 + 1]], [-1.0, 1.0, (51.0 / 255.0 - 0.5) / 0.5, -1.0]);
}

#[test]
fn pictures_and_tensors_of_another_size_are_refused() {
    let config = SiglipConfig { image_size: 14, num_hidden_layers: 1, ..SiglipConfig::so400m() };
    let device = Device::flex();
    let error = config.pixel_values(&Frame::new(13, 14), &device).unwrap_err();
    assert!(error.to_string().contains("resize it first"), "{error}");
    let tower = config.init(&device).unwrap();
    for shape in [[1, 3, 14, 15], [1, 1, 14, 14], [0, 3, 14, 14]] {
        let pixels = Tensor::<4>::zeros(shape, (&device, DType::F32));
        assert!(matches!(tower.forward(pixels), Err(Error::Shape { what: "pixel values", .. })));
    }
}
