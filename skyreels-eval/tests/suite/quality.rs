//! A worse picture has a worse distance.

use std::path::Path;

use skyreels_core::golden::Golden;
use skyreels_core::{Device, Frame};
use skyreels_eval::{FeatureStatistics, InceptionConfig, InceptionExtractor, frechet_distance, ms_ssim, psnr, ssim};
use skyreels_landmarks::synthetic;

/// Pictures of several people.
fn pictures(people: std::ops::Range<u64>) -> Vec<Frame> {
    people.map(|person| synthetic::portrait(180, 180, person).unwrap().0).collect()
}

fn blurred(pictures: &[Frame], by: f32) -> Vec<Frame> {
    pictures.iter().map(|picture| image::imageops::blur(picture, by)).collect()
}

#[test]
fn a_blurred_set_is_farther_from_the_true_one() {
    let weights = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra/fid_inception.json"));
    if !weights.exists() {
        println!("skipped: {} is not there", weights.display());
        return;
    }
    let device = Device::flex();
    let network = Golden::open(weights).unwrap().load("", InceptionConfig::default().init(&device)).unwrap();
    let extractor = InceptionExtractor::new(network, &device);
    let statistics = |pictures: &[Frame]| FeatureStatistics::of(&extractor.pictures(pictures).unwrap()).unwrap();
    let truth = statistics(&pictures(0..6));
    let others = pictures(6..12);
    let [sharp, soft] =
        [others.clone(), blurred(&others, 4.0)].map(|seen| frechet_distance(&truth, &statistics(&seen)).unwrap().value);
    assert!(soft > 1.2 * sharp, "{soft} and {sharp}");
}

#[test]
fn a_blurred_picture_is_less_like_the_true_one() {
    let truth = &pictures(3..4)[0];
    let [little, much] = [1.0, 4.0].map(|by| blurred(std::slice::from_ref(truth), by).remove(0));
    for (name, measure) in [("PSNR", psnr as fn(&Frame, &Frame) -> _), ("SSIM", ssim), ("MS-SSIM", ms_ssim)] {
        let (near, far) = (measure(&little, truth).unwrap(), measure(&much, truth).unwrap());
        assert!(far < near, "{name}: {far} and {near}");
    }
}
