//! The second version of the motion file: what it adds, how small it is, and that the first one is still read and
//! written.

use std::fs;

use skyreels_core::Limits;
use skyreels_landmarks::{
    Aperture, EYE_POINTS, ExpressionMode, FLAME_SHAPE, FlameFrame, MeshPrecision, MeshRetargeter, Motion, MotionEdit,
    PortraitFace, Retargeter, SaveOptions, synthetic,
};

const SIZE: [u32; 2] = [720, 480];

fn plain() -> Motion {
    synthetic::performance(7, 12.0, 5).unwrap()
}

fn flame(i: usize) -> FlameFrame {
    let at = |k: usize| ((7 * i + 3 * k) % 23) as f32 / 16.0 - 0.7;
    FlameFrame {
        expression: std::array::from_fn(at),
        jaw: [0.1, 0.0, 0.02],
        eyelids: [0.2, 0.3],
        eye_pose: std::array::from_fn(|k| 0.1 * at(k)),
        rotation: [0.1 * i as f32, -0.2, 0.05],
        camera: [8.0, 0.01, -0.02],
        eyes: Some(std::array::from_fn(|side| std::array::from_fn(|k| [side as f32 * 100.0, k as f32]))),
    }
}

/// A motion with everything that the format knows.
fn full() -> Motion {
    let flame = (0..7).map(|i| (i != 3).then(|| flame(i))).collect();
    let edit = MotionEdit {
        expression: Some(ExpressionMode::Absolute),
        eyes: Some(Aperture::Driver),
        sliders: [("jawOpen".to_owned(), 0.3)].into(),
        ..MotionEdit::default()
    };
    let motion = edit.apply(&plain().with_flame(flame).unwrap()).unwrap();
    motion.with_flame_shape(Some(vec![0.5; FLAME_SHAPE])).unwrap()
}

fn there_and_back(motion: &Motion, options: &SaveOptions) -> (Motion, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.motion");
    motion.save_with(&path, options).unwrap();
    (Motion::open(&path, &Limits::default()).unwrap(), fs::read(&path).unwrap())
}

fn says(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn everything_comes_back_and_identity_only_when_asked() {
    let motion = full();
    let (back, bytes) = there_and_back(&motion, &SaveOptions { identity: true, ..SaveOptions::default() });
    assert_eq!(back, motion);
    assert!(says(&bytes, "\"version\":\"2\"") && says(&bytes, "flame.shape"));
    let (back, bytes) = there_and_back(&motion, &SaveOptions::default());
    assert!(!says(&bytes, "flame.shape"));
    assert_eq!(back, motion.clone().with_flame_shape(None).unwrap());
}

#[test]
fn what_an_older_reader_could_read_is_written_for_it() {
    let (back, bytes) = there_and_back(&plain(), &SaveOptions::default());
    assert!(back == plain() && says(&bytes, "\"version\":\"1\""));
    let absolute = plain().with_expression_mode(ExpressionMode::Absolute);
    assert!(says(&there_and_back(&absolute, &SaveOptions::default()).1, "\"version\":\"2\""));
}

#[test]
fn a_frame_has_the_stated_size() {
    let bytes = |frames: usize, mesh: MeshPrecision| {
        let motion = synthetic::performance(frames, 12.0, 1).unwrap();
        there_and_back(&motion, &SaveOptions { mesh, identity: false }).1.len()
    };
    for (mesh, stated) in [(MeshPrecision::F32, 5985), (MeshPrecision::F16, 3117)] {
        let per_frame = (bytes(90, mesh) - bytes(40, mesh)) as f64 / 50.0;
        // Headers are padded to eight bytes.
        assert!((per_frame - f64::from(stated)).abs() < 1.0, "{per_frame}");
    }
}

#[test]
fn half_precision_is_far_below_a_pixel() {
    let motion = synthetic::performance(90, 12.0, 3).unwrap();
    let (half, _) = there_and_back(&motion, &SaveOptions { mesh: MeshPrecision::F16, identity: false });
    let portrait = PortraitFace::new(&synthetic::portrait(SIZE[0], SIZE[1], 2).unwrap().1, SIZE).unwrap();
    let retargeter = MeshRetargeter::default();
    let (exact, rounded) =
        (retargeter.retarget(&portrait, &motion).unwrap(), retargeter.retarget(&portrait, &half).unwrap());
    let mut worst = 0.0f64;
    for (a, b) in exact.iter().zip(&rounded) {
        for (p, q) in a.points.iter().zip(&b.points) {
            worst = worst.max((720.0 * (p[0] - q[0])).hypot(480.0 * (p[1] - q[1])));
        }
    }
    println!("largest error of a point: {worst:.4} pixels of {SIZE:?}");
    assert!(worst < 0.02, "{worst}");
}

#[test]
fn flame_is_in_every_frame_or_in_none() {
    let motion = full();
    let mut frames = motion.frames().to_vec();
    frames[2].flame = None;
    let error = Motion::new(12.0, *motion.proportions(), frames).unwrap_err().to_string();
    assert!(error.contains("frame 2") && error.contains("FLAME"), "{error}");
    assert!(plain().with_flame(vec![None; 7]).is_err());
    assert!(plain().with_flame(vec![Some(flame(0)); 6]).unwrap_err().to_string().contains("6 frames"));
    let lost = FlameFrame { jaw: [f32::NAN; 3], ..flame(0) };
    assert!(plain().with_flame(vec![Some(lost); 7]).unwrap_err().to_string().contains("frame 0"));
    assert!(plain().with_flame_shape(Some(vec![0.0; 3])).is_err());
    let mut rest = plain().frames()[0].clone();
    rest.rotation = [2.0; 4];
    assert!(plain().with_rest(rest).unwrap_err().to_string().contains("rest"));
    assert!(motion.with_rest(plain().frames()[0].clone()).is_err());
}

#[test]
fn gaps_between_flame_coefficients_are_filled() {
    let motion = plain().with_flame((0..7).map(|i| (i % 4 == 1).then(|| flame(i))).collect()).unwrap();
    let at = |i: usize| motion.frames()[i].flame.as_ref().unwrap();
    assert_eq!((&**at(0), &**at(1), &**at(6)), (&flame(1), &flame(1), &flame(5)));
    let middle = (flame(1).expression[3] + flame(5).expression[3]) / 2.0;
    assert!((at(3).expression[3] - middle).abs() < 1e-6);
    assert_eq!(at(3).eyes.unwrap()[1][EYE_POINTS - 1], [100.0, 16.0]);
}

/// Bytes of a full file with one text in its header replaced by another of the same length.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(from.len(), to.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.motion");
    full().save_with(&path, &SaveOptions { identity: true, mesh: MeshPrecision::F16 }).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("the text is there");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    Motion::from_bytes(&bytes, &path, &Limits::default()).expect_err("a damaged file must not open").to_string()
}

#[test]
fn damaged_additions_are_refused_by_name() {
    assert!(changed("\"absolute\"", "\"absolve!\"").contains("absolve!"));
    assert!(changed("[7,2,17,2]", "[7,17,2,2]").contains("flame.eyes"));
    assert!(changed("[1,478,3]", "[3,478,1]").contains("rest.expression"));
    assert!(changed("\"version\":\"2\"", "\"version\":\"3\"").contains("format 3"));
    // Version 1 has no half precision, so a file that claims it must not have it.
    assert!(changed("\"version\":\"2\"", "\"version\":\"1\"").contains("F16"));
}

#[test]
fn any_flipped_byte_of_a_full_file_gives_an_error_or_a_valid_motion() {
    let (_, bytes) = there_and_back(&full(), &SaveOptions { identity: true, mesh: MeshPrecision::F16 });
    for at in (0..bytes.len()).step_by(37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xd5;
        if let Ok(motion) = Motion::from_bytes(&damaged, "clip.motion", &Limits::default()) {
            assert!(motion.frames().iter().all(|frame| frame.expression.as_flattened().iter().all(|v| v.is_finite())));
        }
    }
}
