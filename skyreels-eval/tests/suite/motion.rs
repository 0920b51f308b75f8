//! What measurements of motion promise.

use proptest::prelude::*;
use skyreels_eval::compat::{a1_expression_score, a1_pose_score, a1_pose_score_mean};
use skyreels_eval::{
    Anchor, Error, FaceObservation, FrameScores, Result, blendshape_l1, expression_distance, eye_openness_error,
    gaze_error, head_rotation_error, landmark_distance, landmark_jitter, lip_openness_error, pose_l1,
};
use skyreels_landmarks::HeadAngles;

use crate::support::{face_at, performance};

type Faces = [Option<FaceObservation>];

type Measure = fn(&Faces, &Faces) -> Result<FrameScores>;

/// Every measurement that compares frame by frame.
const ALIGNED: [(&str, Measure); 9] = [
    ("blendshapes", blendshape_l1),
    ("rotation", |a, b| head_rotation_error(a, b, Anchor::Camera)),
    ("relative rotation", |a, b| head_rotation_error(a, b, Anchor::FirstFrame)),
    ("pose", pose_l1),
    ("landmarks", landmark_distance),
    ("expression", expression_distance),
    ("gaze", gaze_error),
    ("eyes", eye_openness_error),
    ("lips", lip_openness_error),
];

/// Five points on a canvas of 720 x 480, as the released script has them.
fn five(faces: &Faces) -> Vec<Option<[[f64; 2]; 5]>> {
    faces.iter().map(|face| Some(face.as_ref()?.five_points())).collect()
}

#[test]
fn the_same_performance_is_perfect() {
    let clip = performance(7);
    for (name, measure) in ALIGNED {
        let scores = measure(&clip, &clip).unwrap();
        assert!(scores.mean.abs() < 1e-6, "{name}: {}", scores.mean);
        assert_eq!((scores.measured(), scores.coverage()), (7, 1.0), "{name}");
    }
}

#[test]
fn a_still_portrait_and_a_shuffled_driver_are_worse() {
    let clip = performance(9);
    let still = vec![clip[0].clone(); 9];
    let shuffled: Vec<_> = [4, 7, 1, 8, 0, 5, 2, 6, 3].map(|i: usize| clip[i].clone()).to_vec();
    for (name, measure) in ALIGNED {
        for (how, result) in [("still", &still), ("shuffled", &shuffled)] {
            let worse = measure(result, &clip).unwrap().mean;
            assert!(worse > 1e-4, "{name} of the {how} one: {worse}");
        }
    }
}

#[test]
fn the_released_scores_do_not_know_the_order_of_frames() {
    let clip = performance(9);
    let backwards: Vec<_> = clip.iter().rev().cloned().collect();
    assert_eq!(a1_expression_score(&five(&backwards), &five(&clip)).unwrap(), Some(0.0));
    // Even a result that holds one frame of the driver for ever is perfect.
    let still = vec![clip[4].clone(); 9];
    assert_eq!(a1_expression_score(&five(&still), &five(&clip)).unwrap(), Some(0.0));
    let body = |faces: &Faces| -> Vec<Vec<[f64; 2]>> {
        faces.iter().map(|face| face.as_ref().unwrap().five_points().to_vec()).collect()
    };
    assert_eq!(a1_pose_score(&body(&backwards), &body(&clip)).unwrap(), Some(0.0));
    assert_eq!(a1_pose_score(&body(&still), &body(&clip)).unwrap(), Some(0.0));
    // Between different clips: any order of either gives the same number, while what is aligned changes.
    let other: Vec<_> = (0..9).map(|i| Some(face_at(f64::from(i) * 1.3 + 0.4))).collect();
    let order = [3, 8, 1, 0, 7, 5, 2, 6, 4].map(|i: usize| other[i].clone()).to_vec();
    let released = |result: &Faces| a1_expression_score(&five(result), &five(&clip)).unwrap().unwrap();
    assert!(released(&other) > 0.0 && (released(&other) - released(&order)).abs() < 1e-15);
    for (name, measure) in ALIGNED {
        let (a, b) = (measure(&other, &clip).unwrap().mean, measure(&order, &clip).unwrap().mean);
        assert!((a - b).abs() > 1e-5, "{name} does not see the order: {a} {b}");
    }
}

#[test]
fn the_released_scores_have_the_released_constants() {
    let at = |x: f64| Some([[x, 0.0]; 5]);
    // Five points, 24 pixels away: 120 / 12000.
    assert_eq!(a1_expression_score(&[at(24.0)], &[at(100.0), at(0.0)]).unwrap(), Some(0.01));
    assert_eq!(a1_expression_score(&[at(24.0), None], &[at(0.0)]).unwrap(), None);
    let body = |x: f64, count: usize| vec![[x, 0.0]; count];
    // Lists are cut to the shorter: 3 points, 640 pixels away: 1920 / 19200.
    assert_eq!(a1_pose_score(&[body(640.0, 3)], &[body(0.0, 5)]).unwrap(), Some(0.1));
    assert_eq!(a1_pose_score(&[body(64_000.0, 3)], &[body(0.0, 3)]).unwrap(), None);
    assert_eq!(a1_pose_score_mean(&[0.5, 1e-4, 0.0, 0.3]), Some(0.4));
    assert_eq!(a1_pose_score_mean(&[0.0]), None);
}

fn turned(yaw: f32, pitch: f32, roll: f32) -> Option<FaceObservation> {
    Some(FaceObservation { rotation: HeadAngles { yaw, pitch, roll }.rotation(), ..face_at(0.0) })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_rotation_error_is_the_angle_and_symmetric(yaw in -80.0f32..80.0, base in -60.0f32..60.0) {
        let (a, b) = ([turned(base, 10.0, 0.0)], [turned(base + yaw, 10.0, 0.0)]);
        let there = head_rotation_error(&a, &b, Anchor::Camera).unwrap().mean;
        let back = head_rotation_error(&b, &a, Anchor::Camera).unwrap().mean;
        prop_assert!((there - back).abs() < 1e-6);
        // A turn about the vertical is that turn, whatever came before it.
        prop_assert!((there - f64::from(yaw.abs())).abs() < 1e-2, "{there} {yaw}");
        let pose = pose_l1(&a, &b).unwrap().mean;
        prop_assert!((pose - f64::from(yaw.abs()) / 3.0).abs() < 1e-2, "{pose} {yaw}");
    }

    #[test]
    fn a_portrait_with_its_own_pose_follows_perfectly_from_the_first_frame(
        yaw in -30.0f32..30.0, pitch in -30.0f32..30.0, turns in prop::collection::vec(-40.0f32..40.0, 2..5),
    ) {
        let matrix = |r: [[f32; 3]; 3]| nalgebra::Matrix3::from_fn(|i, j| r[i][j]);
        let own = matrix(HeadAngles { yaw, pitch, roll: 3.0 }.rotation());
        let driver: Vec<_> = turns.iter().map(|turn| turned(*turn, *turn / 2.0, 0.0)).collect();
        let first = matrix(driver[0].as_ref().unwrap().rotation);
        let result: Vec<_> = driver.iter().flatten().map(|face| {
            let moved = matrix(face.rotation) * first.transpose() * own;
            let rotation = std::array::from_fn(|i| std::array::from_fn(|j| moved[(i, j)]));
            Some(FaceObservation { rotation, ..face.clone() })
        }).collect();
        let error = head_rotation_error(&result, &driver, Anchor::FirstFrame).unwrap();
        prop_assert!(error.mean < 1e-2, "{}", error.mean);
    }
}

#[test]
fn frames_without_a_face_are_left_out_and_counted() {
    let clip = performance(4);
    let mut result = clip.clone();
    result[1] = None;
    let scores = blendshape_l1(&result, &clip).unwrap();
    assert_eq!((scores.measured(), scores.coverage(), scores.values[1]), (3, 0.75, None));
}

#[test]
fn nothing_to_measure_and_numbers_that_are_none_are_errors() {
    let clip = performance(3);
    for (name, measure) in ALIGNED {
        assert!(matches!(measure(&[], &[]), Err(Error::Empty { .. })), "{name}");
        assert!(matches!(measure(&[None, None], &clip[..2]), Err(Error::Empty { .. })), "{name}");
        assert!(matches!(measure(&clip, &clip[..2]), Err(Error::Mismatch { .. })), "{name}");
    }
    let mut broken = clip.clone();
    broken[1].as_mut().unwrap().blendshapes[5] = f32::NAN;
    let error = blendshape_l1(&broken, &clip).unwrap_err().to_string();
    assert!(error.contains("frame 1"), "{error}");
    assert!(matches!(broken[1].as_ref().unwrap().check(), Err(Error::NotFinite { .. })));
    assert!(matches!(a1_expression_score(&[], &[]), Err(Error::Empty { .. })));
    let nan = [Some([[f64::NAN; 2]; 5])];
    assert!(matches!(a1_expression_score(&nan, &nan), Err(Error::NotFinite { .. })));
    assert!(matches!(a1_pose_score(&[vec![[f64::NAN; 2]]], &[vec![]]), Err(Error::NotFinite { .. })));
}

#[test]
fn trembling_is_seen_and_steady_motion_is_not() {
    let shifted = |by: f32| {
        let mut face = face_at(0.0);
        face.points.iter_mut().for_each(|point| point[0] += by);
        Some(face)
    };
    let steady: Vec<_> = (0..6).map(|i| shifted(3.0 * i as f32)).collect();
    assert!(landmark_jitter(&steady).unwrap().mean < 1e-4);
    let trembling: Vec<_> = (0..6).map(|i| shifted(if i % 2 == 0 { 0.0 } else { 1.0 })).collect();
    let jitter = landmark_jitter(&trembling).unwrap();
    assert!((jitter.mean * face_at(0.0).eye_distance() - 2.0).abs() < 1e-2, "1, -2, 1 pixels: {jitter:?}");
    assert_eq!(jitter.measured(), 4);
    assert!(matches!(landmark_jitter(&trembling[..2]), Err(Error::Empty { .. })));
}
