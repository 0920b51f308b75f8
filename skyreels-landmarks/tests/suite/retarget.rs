//! The mesh retargeter: what it must leave alone, and what it must carry over.

use proptest::prelude::*;
use skyreels_landmarks::{
    Anchor, CropBox, Face, MeshRetargeter, Motion, MotionFrame, PortraitFace, RetargetedFrame, Retargeter, Scale,
    synthetic,
};

const SIZE: [u32; 2] = [720, 480];

fn face(seed: u64) -> Face {
    synthetic::portrait(SIZE[0], SIZE[1], seed).unwrap().1
}

fn portrait(seed: u64) -> PortraitFace {
    PortraitFace::new(&face(seed), SIZE).unwrap()
}

/// Largest distance of a retargeted point from a landmark, relative to the picture.
fn farthest(frame: &RetargetedFrame, landmarks: &[[f32; 3]]) -> f64 {
    let moved = frame
        .points
        .iter()
        .zip(landmarks)
        .map(|(a, b)| (0..3).map(|k| (a[k] - f64::from(b[k])).abs()).fold(0.0, f64::max));
    moved.fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_first_frame_of_ones_own_video_is_the_portrait(seed in 0u64..1000, other in 0u64..1000) {
        let faces = [face(seed), face(other)].map(Some);
        let motion = Motion::from_faces(faces, 12.0).unwrap().motion;
        let frames = MeshRetargeter::default().retarget(&portrait(seed), &motion).unwrap();
        prop_assert!(farthest(&frames[0], portrait(seed).landmarks()) < 1e-12);
    }

    #[test]
    fn with_translation_a_head_goes_where_its_own_driver_goes(seed in 0u64..1000, x in -6f32..6.0, y in -4f32..4.0, z in -9f32..9.0) {
        // The same head elsewhere: its points as its own camera sees them there.
        let first = face(seed);
        let mut second = first.clone();
        for (k, shift) in [x, y, z].into_iter().enumerate() {
            second.matrix[k][3] += shift;
        }
        let motion = Motion::from_faces([first, second.clone()].map(Some), 12.0).unwrap().motion;
        let retargeter = MeshRetargeter { smoothing: 1.0, translation: 1.0, ..MeshRetargeter::default() };
        let frames = retargeter.retarget(&portrait(seed), &motion).unwrap();
        prop_assert!(farthest(&frames[0], portrait(seed).landmarks()) < 1e-12);
        let stays = MeshRetargeter { smoothing: 1.0, ..MeshRetargeter::default() };
        let stayed = stays.retarget(&portrait(seed), &motion).unwrap();
        prop_assert!(farthest(&stayed[1], portrait(seed).landmarks()) < 1e-12);
        // And the way back is as long.
        let there = PortraitFace::new(&second, SIZE).unwrap();
        let back = Motion::from_faces([second, face(seed)].map(Some), 12.0).unwrap().motion;
        let returned = retargeter.retarget(&there, &back).unwrap();
        for ((gone, came), landmark) in frames[1].points.iter().zip(&returned[1].points).zip(there.landmarks()) {
            for k in 0..2 {
                let forth = gone[k] - f64::from(landmark[k]);
                let back = came[k] - f64::from(landmark[k]);
                prop_assert!((forth + back).abs() < 1e-6, "{forth} {back}");
            }
        }
    }

    #[test]
    fn a_driver_that_does_not_move_leaves_any_portrait_as_it_is(seed in 0u64..1000, driver in 0u64..1000) {
        let motion = Motion::from_faces(vec![Some(face(driver)); 3], 12.0).unwrap().motion;
        let portrait = portrait(seed);
        for frame in MeshRetargeter::default().retarget(&portrait, &motion).unwrap() {
            prop_assert!(farthest(&frame, portrait.landmarks()) < 1e-12);
        }
    }

    #[test]
    fn the_anchor_frame_shows_the_portrait(seed in 0u64..1000, anchor in 0usize..12, smoothing in 0.1f64..=1.0) {
        let motion = synthetic::performance(12, 12.0, seed).unwrap();
        let retargeter = MeshRetargeter { anchor: Anchor::Frame(anchor), smoothing, ..MeshRetargeter::default() };
        let frames = retargeter.retarget(&portrait(seed), &motion).unwrap();
        prop_assert!(farthest(&frames[anchor], portrait(seed).landmarks()) < 1e-12);
    }

    #[test]
    fn a_head_twice_as_large_and_far_moves_alike(seed in 0u64..1000) {
        let motion = synthetic::performance(6, 12.0, seed).unwrap();
        let mut large = face(seed);
        large.matrix.iter_mut().take(3).flatten().for_each(|v| *v *= 2.0);
        let (a, b) = (portrait(seed), PortraitFace::new(&large, SIZE).unwrap());
        let (a, b) = (
            MeshRetargeter::default().retarget(&a, &motion).unwrap(),
            MeshRetargeter::default().retarget(&b, &motion).unwrap(),
        );
        for (a, b) in a.iter().zip(&b) {
            let gap = a.points.iter().zip(&b.points).map(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1])).fold(0.0, f64::max);
            prop_assert!(gap < 1e-6, "{gap}");
        }
    }

    #[test]
    fn a_crop_shows_the_same_points_enlarged(seed in 0u64..1000, x in 0u32..200, y in 0u32..100) {
        let crop = CropBox { x, y, width: 360, height: 240 };
        let motion = synthetic::performance(4, 12.0, seed).unwrap();
        let cropped = PortraitFace::in_crop(&face(seed), SIZE, &crop).unwrap();
        let whole = MeshRetargeter::default().retarget(&portrait(seed), &motion).unwrap();
        let part = MeshRetargeter::default().retarget(&cropped, &motion).unwrap();
        for (whole, part) in whole.iter().zip(&part) {
            for (p, q) in whole.points.iter().zip(&part.points) {
                let [u, v] = [p[0] * 720.0 - f64::from(x), p[1] * 480.0 - f64::from(y)];
                prop_assert!((u - q[0] * 360.0).abs() < 1e-3 && (v - q[1] * 240.0).abs() < 1e-3);
            }
        }
    }
}

/// Gap between two points in the picture, in pixels.
fn gap(frame: &RetargetedFrame, a: usize, b: usize) -> f64 {
    let [p, q] = [frame.points[a], frame.points[b]];
    (720.0 * (p[0] - q[0])).hypot(480.0 * (p[1] - q[1]))
}

#[test]
fn a_blink_closes_the_eyes_of_any_portrait() {
    let motion = synthetic::performance(48, 24.0, 9).unwrap();
    let closed = |i: &usize| motion.frames()[*i].openness.eyes[0] < 0.15;
    let blink = (0..48).find(closed).expect("the performance blinks");
    for seed in 0..6 {
        let frames = MeshRetargeter::default().retarget(&portrait(seed), &motion).unwrap();
        for (upper, lower) in [(159, 145), (386, 374)] {
            let (open, shut) = (gap(&frames[0], upper, lower), gap(&frames[blink], upper, lower));
            assert!(shut < 0.25 * open, "{seed}: {open} to {shut}");
        }
    }
}

#[test]
fn an_opened_mouth_opens_the_portraits_mouth() {
    let motion = synthetic::performance(48, 12.0, 2).unwrap();
    let widest =
        (0..48).max_by(|a, b| motion.frames()[*a].openness.mouth.total_cmp(&motion.frames()[*b].openness.mouth));
    let frames = MeshRetargeter::default().retarget(&portrait(3), &motion).unwrap();
    let eyes = gap(&frames[0], 33, 263);
    assert!(gap(&frames[widest.unwrap()], 13, 14) > 0.05 * eyes);
    assert!(gap(&frames[0], 13, 14) < 0.01 * eyes);
}

#[test]
fn lips_never_pass_through_each_other() {
    // A driver that begins with an open mouth and closes it, on a portrait with closed lips.
    let motion = synthetic::performance(48, 12.0, 2).unwrap();
    let widest =
        (0..48).max_by(|a, b| motion.frames()[*a].openness.mouth.total_cmp(&motion.frames()[*b].openness.mouth));
    let retargeter = MeshRetargeter { anchor: Anchor::Frame(widest.unwrap()), ..MeshRetargeter::default() };
    let eyes = gap(&retargeter.retarget(&portrait(3), &motion).unwrap()[0], 33, 263);
    for frame in retargeter.retarget(&portrait(3), &motion).unwrap() {
        // They meet in the head's frame; a nod shows a little of how far one lies in front of the other.
        let below = 480.0 * (frame.points[13][1] - frame.points[14][1]);
        assert!(below < 0.02 * eyes, "the upper lip is {below} pixels below the lower one");
    }
}

#[test]
fn a_shift_of_centimetres_is_as_wide_as_the_camera_sees_it() {
    let (first, mut second) = (face(3), face(3));
    second.matrix[0][3] += 2.0;
    second.matrix[1][3] += 1.0;
    let motion = Motion::from_faces([first.clone(), second].map(Some), 12.0).unwrap().motion;
    let half = MeshRetargeter { smoothing: 1.0, translation: 0.5, ..MeshRetargeter::default() };
    let frames = half.retarget(&portrait(3), &motion).unwrap();
    for index in [4, 33, 263, 152] {
        let (was, is, [x, y, z]) = (first.landmarks[index], frames[1].points[index], first.head_points[index]);
        let gone = [is[0] - f64::from(was[0]), is[1] - f64::from(was[1])];
        let [a, b, c, d] = first.matrix[2];
        // What the camera sees at the point's depth, in centimetres; the field of view is 63 degrees high.
        let height = 2.0 * 31.5f64.to_radians().tan() * -f64::from(a * x + b * y + c * z + d);
        let width = height * f64::from(SIZE[0]) / f64::from(SIZE[1]);
        // Half of two centimetres to the right and one upwards.
        assert!((gone[0] * width - 1.0).abs() < 1e-3, "{index}: {gone:?}");
        assert!((-gone[1] * height - 0.5).abs() < 1e-3, "{index}: {gone:?}");
    }
}

#[test]
fn the_nose_follows_the_turn_of_the_head() {
    let motion = synthetic::performance(36, 12.0, 4).unwrap();
    let frames =
        MeshRetargeter { smoothing: 1.0, ..MeshRetargeter::default() }.retarget(&portrait(4), &motion).unwrap();
    // Half of twice the y component is the sine of the turn; positive turns go to the person's left, the picture's right.
    for (frame, moved) in motion.frames().iter().zip(&frames) {
        let turn = frame.rotation[2];
        if turn.abs() > 0.03 {
            let shift = moved.points[4][0] - frames[0].points[4][0];
            assert!(shift * f64::from(turn) > 0.0, "turn {turn} moves the nose by {shift}");
        }
    }
}

#[test]
fn a_head_that_turns_into_profile_keeps_both_eyes_apart() {
    let calm = synthetic::performance(8, 12.0, 4).unwrap();
    let turned = |(i, frame): (usize, &MotionFrame)| {
        let half = (15.0 * i as f32).to_radians() / 2.0;
        MotionFrame { rotation: [half.cos(), 0.0, half.sin(), 0.0], ..frame.clone() }
    };
    let frames = calm.frames().iter().enumerate().map(turned).collect();
    let motion = Motion::new(12.0, *calm.proportions(), frames).unwrap();
    let eyes = |retargeter: MeshRetargeter| -> Vec<f64> {
        let moved = retargeter.retarget(&portrait(4), &motion).unwrap();
        moved.iter().map(|frame| frame.points[263][0] - frame.points[33][0]).collect()
    };
    let unlimited = eyes(MeshRetargeter { max_turn: 180.0, smoothing: 1.0, ..MeshRetargeter::default() });
    let limited = eyes(MeshRetargeter { smoothing: 1.0, ..MeshRetargeter::default() });
    assert_eq!(unlimited[..3], limited[..3], "small turns are as they were");
    assert!(unlimited[7] < 0.0, "at 105 degrees the far eye would lie beyond the near one");
    assert!(limited[7] > 0.2 * limited[0] && limited.is_sorted_by(|a, b| a >= b), "{limited:?}");
}

#[test]
fn options_without_sense_are_refused() {
    let motion = synthetic::performance(3, 12.0, 1).unwrap();
    for bad in [
        MeshRetargeter { smoothing: 0.0, ..MeshRetargeter::default() },
        MeshRetargeter { smoothing: f64::NAN, ..MeshRetargeter::default() },
        MeshRetargeter { anchor: Anchor::Frame(3), ..MeshRetargeter::default() },
        MeshRetargeter { max_turn: 0.0, ..MeshRetargeter::default() },
        MeshRetargeter { translation: f64::INFINITY, ..MeshRetargeter::default() },
        MeshRetargeter { max_turn: f64::NAN, ..MeshRetargeter::default() },
    ] {
        assert!(bad.retarget(&portrait(1), &motion).is_err());
    }
    let canonical = MeshRetargeter {
        scale: Scale::Canonical,
        anchor: Anchor::MostNeutral,
        smoothing: 1.0,
        max_turn: 180.0,
        translation: 0.0,
    };
    assert_eq!(canonical.retarget(&portrait(1), &motion).unwrap().len(), 3);
}

#[test]
fn a_portrait_without_points_or_behind_the_camera_is_refused() {
    let mut short = face(1);
    short.landmarks.pop();
    let mut behind = face(1);
    behind.matrix[2][3] = 20.0;
    let mut lost = face(1);
    lost.landmarks[3][0] = f32::NAN;
    for bad in [short, behind, lost] {
        assert!(PortraitFace::new(&bad, SIZE).is_err());
    }
    assert!(PortraitFace::new(&face(1), [0, 480]).is_err());
}
