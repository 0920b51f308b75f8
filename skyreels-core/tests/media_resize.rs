//! Resizing is bit-exact with Pillow, OpenCV and the original's `crop_and_resize`.

mod common;

use common::Golden;
use skyreels_core::Frame;
use skyreels_core::resize::{Filter, Interpolation, fit, resize_opencv, resize_pillow};

fn compare(name: &str, ours: &Frame, expected: &Frame, failures: &mut Vec<String>) {
    assert_eq!(ours.dimensions(), expected.dimensions(), "{name}");
    let pairs = ours.as_raw().iter().zip(expected.as_raw());
    let (mut wrong, mut largest) = (0, 0);
    for (a, b) in pairs {
        wrong += u32::from(a != b);
        largest = largest.max(a.abs_diff(*b));
    }
    println!("{name:40} {wrong:6} of {} differ, at most by {largest}", expected.as_raw().len());
    if wrong > 0 {
        failures.push(name.to_owned());
    }
}

/// `out.pil_bicubic_121x50` -> (121, 50): rows, then columns.
fn size_in(name: &str) -> (u32, u32) {
    let (height, width) = name.rsplit('_').find_map(|part| part.split_once('x')).unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

#[test]
fn every_golden_resize_is_bit_exact() {
    let Some(golden) = Golden::open("golden/extra/resize_pil_cv2") else { return };
    let source = golden.picture("in.source_u8");
    let mut failures = Vec::new();
    for name in golden.names().filter(|name| name.starts_with("out.pil_") || name.starts_with("out.cv2_")) {
        let (width, height) = size_in(name);
        let ours = match name.split('_').take(2).collect::<Vec<_>>().join("_").as_str() {
            "out.pil_bicubic" => resize_pillow(&source, width, height, Filter::Bicubic),
            "out.pil_bilinear" => resize_pillow(&source, width, height, Filter::Bilinear),
            "out.pil_lanczos" => resize_pillow(&source, width, height, Filter::Lanczos),
            "out.cv2_linear" => resize_opencv(&source, width, height, Interpolation::Linear),
            "out.cv2_cubic" => resize_opencv(&source, width, height, Interpolation::Cubic),
            "out.cv2_area" => resize_opencv(&source, width, height, Interpolation::Area),
            "out.cv2_nearest" => resize_opencv(&source, width, height, Interpolation::Nearest),
            other => panic!("unknown resize {other}"),
        };
        compare(name, &ours.unwrap(), &golden.picture(name), &mut failures);
    }
    // torchvision's Resize on a PIL picture is Pillow's bilinear; every third pixel is stored.
    let whole = resize_pillow(&source, 299, 299, Filter::Bilinear).unwrap();
    let every_third = Frame::from_fn(100, 100, |x, y| *whole.get_pixel(x * 3, y * 3));
    compare("torchvision", &every_third, &golden.picture("out.torchvision_299_every3"), &mut failures);
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn fit_is_the_crop_and_resize_of_the_original() {
    let Some(golden) = Golden::open("golden/extra/resize_pil_cv2") else { return };
    let mut failures = Vec::new();
    for name in golden.names().filter(|name| name.starts_with("out.crop_and_resize_")) {
        let number = name["out.crop_and_resize_".len()..].split('_').next().unwrap();
        let source = golden.picture(&format!("in.crop_source_{number}"));
        let (width, height) = size_in(name);
        compare(name, &fit(&source, width, height).unwrap(), &golden.picture(name), &mut failures);
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn the_preprocessing_resizes_are_bit_exact() {
    let Some(golden) = Golden::open("golden/preprocess") else { return };
    let source = golden.picture("in.source_u8");
    let mut failures = Vec::new();
    for name in golden.names().filter(|name| name.ends_with("_u8") && name.starts_with("out.")) {
        let (width, height) = size_in(name);
        let filter = if name.contains("bicubic") { Filter::Bicubic } else { Filter::Lanczos };
        compare(name, &resize_pillow(&source, width, height, filter).unwrap(), &golden.picture(name), &mut failures);
    }
    assert!(failures.is_empty(), "{failures:?}");
}
