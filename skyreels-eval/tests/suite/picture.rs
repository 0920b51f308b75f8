//! Pictures beside the true ones, and clips that flicker.

use proptest::prelude::*;
use skyreels_core::Frame;
use skyreels_eval::{BackgroundMeter, Error, FlickerMeter, MS_SSIM_LEAST_SIDE, ms_ssim, psnr, ssim};

use crate::support::pattern;

/// What scikit-image 0.26 (Gaussian window, no sample covariance) says of the same pictures.
#[test]
fn similarities_equal_those_of_scikit_image() {
    let near = |a: f64, b: f64| assert!((a - b).abs() < 2e-6, "{a} instead of {b}");
    let (a, b) = (
        pattern(64, 48, |x, y| (x * 5 + y * 3) % 256),
        pattern(64, 48, |x, y| (x * 5 + y * 3 + (x * 7 + y * 11) % 23) % 256),
    );
    near(ssim(&a, &b).unwrap(), 0.659_292_671_669);
    near(psnr(&a, &b).unwrap(), 14.830_885_960_351);
    let (a, b) = (
        pattern(200, 180, |x, y| (x * x / 16 + y * 3) % 256),
        pattern(200, 180, |x, y| (x * x / 16 + y * 3) % 256 * 3 / 4 + (x * 7 + y * 11) % 23),
    );
    near(ssim(&a, &b).unwrap(), 0.871_861_430_724);
    near(psnr(&a, &b).unwrap(), 18.939_380_447_496);
    // Five scales with SciPy's filters.
    near(ms_ssim(&a, &b).unwrap(), 0.955_067_026_123);
}

#[test]
fn flat_pictures_have_a_closed_form() {
    let (a, b) = (pattern(200, 200, |_, _| 51), pattern(200, 200, |_, _| 102));
    let expected = (2.0 * 0.2 * 0.4 + 1e-4) / (0.04 + 0.16 + 1e-4);
    assert!((ssim(&a, &b).unwrap() - expected).abs() < 1e-6);
    assert!((ms_ssim(&a, &b).unwrap() - expected.powf(0.1333)).abs() < 1e-6);
    assert!((psnr(&a, &b).unwrap() - 20.0 * 5f64.log10()).abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_picture_is_like_itself_and_others_are_like_it_the_same_way_round(a in 1u32..200, b in 1u32..200) {
        let (first, second) = (
            pattern(40, 30, |x, y| (x * a + y * 7) % 256), pattern(40, 30, |x, y| (x * b + y * 5) % 256),
        );
        prop_assert!((ssim(&first, &first).unwrap() - 1.0).abs() < 1e-9);
        prop_assert_eq!(psnr(&first, &first).unwrap(), f64::INFINITY);
        let (there, back) = (ssim(&first, &second).unwrap(), ssim(&second, &first).unwrap());
        prop_assert!((there - back).abs() < 1e-9 && there.abs() <= 1.0);
    }
}

#[test]
fn pictures_that_cannot_be_compared_are_refused() {
    let (small, large) = (Frame::new(8, 30), Frame::new(30, 30));
    assert!(matches!(psnr(&small, &large), Err(Error::Mismatch { .. })));
    assert!(matches!(psnr(&Frame::new(0, 0), &Frame::new(0, 0)), Err(Error::Empty { .. })));
    assert!(matches!(ssim(&small, &small), Err(Error::Invalid { .. })));
    let error = ms_ssim(&large, &large).unwrap_err().to_string();
    assert!(error.contains(&MS_SSIM_LEAST_SIDE.to_string()), "{error}");
}

#[test]
fn flicker_is_seen_and_steady_brightening_is_not() {
    let clip = |brightness: &[u32]| {
        let mut meter = FlickerMeter::default();
        brightness.iter().for_each(|grey| meter.push(&pattern(20, 10, |_, _| *grey)).unwrap());
        meter.finish()
    };
    assert!(clip(&[10, 20, 30, 40]).unwrap().mean < 1e-6);
    let flicker = clip(&[51, 102, 51, 102]).unwrap();
    assert!((flicker.mean - 0.4).abs() < 1e-6, "0.2, -0.4 and 0.2 of white: {flicker:?}");
    assert_eq!((flicker.measured(), flicker.values.len()), (2, 4));
    assert!(matches!(clip(&[1, 2]), Err(Error::Empty { .. })));
    let mut meter = FlickerMeter::default();
    meter.push(&Frame::new(4, 4)).unwrap();
    assert!(matches!(meter.push(&Frame::new(4, 5)), Err(Error::Mismatch { .. })));
}

#[test]
fn only_what_is_not_the_face_counts_as_background() {
    let face = Some([40.0, 30.0, 60.0, 50.0]);
    let measure = |change: &dyn Fn(u32, u32, u32) -> u32| {
        let mut meter = BackgroundMeter::default();
        for time in 0..4 {
            meter.push(&pattern(100, 80, |x, y| change(x, y, time)), face).unwrap();
        }
        meter.finish().unwrap()
    };
    // What happens in the box half as large again on each side is the face's business.
    let inside = measure(&|x, y, time| if (30..70).contains(&x) && (20..60).contains(&y) { 50 * time } else { 7 });
    assert_eq!((inside.step.mean, inside.drift.mean), (0.0, 0.0));
    let fading = measure(&|x, _, time| if x < 20 { 51 * time } else { 0 });
    let share = 20.0 * 80.0 / (100.0 * 80.0 - 40.0 * 40.0);
    assert!((fading.step.mean - 0.2 * share).abs() < 1e-6, "{fading:?}");
    assert!((fading.drift.values[3].unwrap() - 0.6 * share).abs() < 1e-6, "{fading:?}");
    let mut full = BackgroundMeter::default();
    for _ in 0..3 {
        full.push(&pattern(10, 10, |_, _| 0), Some([0.0, 0.0, 10.0, 10.0])).unwrap();
    }
    assert!(matches!(full.finish(), Err(Error::Empty { .. })));
}
