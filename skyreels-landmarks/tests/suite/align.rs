//! The aligned face against OpenCV's answers.

use skyreels_core::Frame;
use skyreels_core::golden::{Golden, Report, Tolerance};
use skyreels_landmarks::{similarity, warp_affine};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/golden/extra/face_align.json");
/// `FaceRestoreHelper` fills with (135, 133, 132) in OpenCV's channel order; the file kept that order.
const BORDER: [u8; 3] = [135, 133, 132];

#[test]
fn the_aligned_face_is_the_one_of_the_original() {
    if !std::path::Path::new(GOLDEN).exists() {
        println!("skipped: {GOLDEN} is not there");
        return;
    }
    let golden = Golden::open(GOLDEN).unwrap();
    let five = |values: &[f64]| std::array::from_fn(|i| [values[2 * i], values[2 * i + 1]]);
    let landmarks = golden.input("landmarks").unwrap();
    let template = five(&golden.input("restore_helper_template").unwrap().data);
    let image = golden.input("image_u8").unwrap();
    let bytes = image.data.iter().map(|v| *v as u8).collect();
    let picture = Frame::from_raw(image.shape[1] as u32, image.shape[0] as u32, bytes).unwrap();

    let mut report = Report::new(&golden);
    let cases: Vec<_> = landmarks.data.chunks(10).map(|points| similarity(&five(points), &template).unwrap()).collect();
    let flat: Vec<f64> = cases.iter().flatten().flatten().copied().collect();
    // OpenCV refines by ten steps of Levenberg-Marquardt what is solved exactly here.
    let near = Tolerance::Relative(1e-6);
    report.compare_values(&golden, "restore_helper_affine", &[cases.len(), 2, 3], &flat, near).unwrap();
    // The warp is compared on the original's own matrices: a difference of 1e-6 may turn a rounding.
    let theirs = golden.expected("restore_helper_affine").unwrap().unwrap().values.data;
    for (index, affine) in theirs.chunks(6).enumerate().take(3) {
        let rows = std::array::from_fn(|row| std::array::from_fn(|column| affine[3 * row + column]));
        let face = warp_affine(&picture, &rows, [128, 128], BORDER);
        let ours: Vec<f64> = face.as_raw().iter().map(|v| f64::from(*v)).collect();
        let name = format!("restore_helper_face_{index}");
        report.compare_values(&golden, &name, &[128, 128, 3], &ours, Tolerance::Exact).unwrap();
    }
    assert_eq!(report.rows.len(), 4);
    assert!(report.passed(), "{report}");
}

#[test]
fn points_that_coincide_or_are_not_finite_have_no_alignment() {
    let template = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [1.0, 1.0]];
    assert!(similarity(&[[3.0, 3.0]; 5], &template).is_none());
    assert!(similarity(&[[f64::NAN, 3.0]; 5], &template).is_none());
    assert!(similarity(&template, &template).is_some());
}
