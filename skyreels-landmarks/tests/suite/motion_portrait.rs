//! Controls as they show on a portrait.

use skyreels_landmarks::{
    Aperture, ExpressionMode, MotionEdit, MotionFrame, Neutral, PortraitFace, PoseOffset, Region, RetargetedFrame,
    Trim, slider_names, synthetic,
};

use crate::motion_support::{
    BROW, INNER_LIPS, LIDS, LOWER_LID, MOUTH_CORNER, NOSE, SIZE, UPPER_LID, edited, face, farthest, gap, moved,
    performance, portrait, sliders,
};

#[test]
fn a_slider_shows_on_the_portrait_although_retargeting_is_relative() {
    let (motion, portrait) = (performance(7), portrait(5));
    let plain = moved(&motion, &portrait);
    let with = |name, value| moved(&edited(&motion, &sliders(&[(name, value)])), &portrait);
    for (i, frame) in with("eyeBlinkRight", 1.0).iter().enumerate() {
        assert!(gap(frame, UPPER_LID, LOWER_LID) < 0.2 * gap(&plain[0], UPPER_LID, LOWER_LID), "frame {i}");
        assert!(farthest(frame, &plain[i], [386, 374, 13, BROW]) < 1e-9, "the other eye is left alone");
    }
    // Two sliders that close the same eye do not push its lids through each other.
    let both = sliders(&[("eyeBlinkRight", 1.0), ("eyeSquintRight", 1.0), ("eyeLookDownRight", 1.0)]);
    for frame in edited(&motion, &both).frames() {
        assert!(frame.openness.eyes[0] < 1e-3);
    }
    for (frame, once) in moved(&edited(&motion, &both), &portrait).iter().zip(with("eyeBlinkRight", 1.0)) {
        assert!(frame.points[UPPER_LID][1] < frame.points[LOWER_LID][1] + 5e-3, "the upper lid stays above");
        assert!(once.points[UPPER_LID][1] < once.points[LOWER_LID][1] + 5e-3);
    }
    let (smile, open, brow) = (with("mouthSmileLeft", 1.0), with("jawOpen", 0.8), with("browOuterUpRight", 1.0));
    // Without the pose, so that depth does not show as height.
    let still = MotionEdit { regions: vec![Region::Expression], ..MotionEdit::default() };
    let speaking = moved(&edited(&motion, &still), &portrait);
    let closed = MotionEdit { regions: vec![Region::Expression], ..sliders(&[("mouthClose", 1.0)]) };
    let closed = moved(&edited(&motion, &closed), &portrait);
    for i in 0..plain.len() {
        // Up is less in a picture.
        assert!(smile[i].points[MOUTH_CORNER][1] < plain[i].points[MOUTH_CORNER][1] - 1e-3);
        assert!(gap(&open[i], 13, 14) > gap(&plain[i], 13, 14) + 2.0);
        assert!(brow[i].points[BROW][1] < plain[i].points[BROW][1] - 1e-3);
        assert!(gap(&closed[i], 13, 14) < 0.5 + 0.1 * gap(&speaking[i], 13, 14), "frame {i}");
    }
}

#[test]
fn every_slider_moves_something_and_left_is_left() {
    let (motion, portrait) = (performance(7), portrait(5));
    let plain = moved(&motion, &portrait);
    for name in slider_names() {
        let frames = moved(&edited(&motion, &sliders(&[(name, 0.8)])), &portrait);
        let widest = frames.iter().zip(&plain).map(|(a, b)| farthest(a, b, 0..478)).fold(0.0, f64::max);
        assert!(widest > 1e-4, "{name} moves nothing");
    }
    // Looking to the person's left is looking to the right of the picture, with both eyes.
    let look = sliders(&[("eyeLookOutLeft", 1.0), ("eyeLookInRight", 1.0)]);
    let frames = moved(&edited(&motion, &look), &portrait);
    assert!([468, 473].iter().all(|iris| frames[3].points[*iris][0] > plain[3].points[*iris][0] + 1e-3));
}

#[test]
fn poses_turn_to_the_stated_sides() {
    let (motion, portrait) = (performance(6), portrait(4));
    let plain = moved(&motion, &portrait);
    let with = |pose| moved(&edited(&motion, &MotionEdit { pose, ..MotionEdit::default() }), &portrait);
    let left = with(PoseOffset { yaw: 15.0, ..PoseOffset::default() });
    let up = with(PoseOffset { pitch: 15.0, ..PoseOffset::default() });
    let tilted = with(PoseOffset { roll: 15.0, ..PoseOffset::default() });
    for i in 0..plain.len() {
        assert!(left[i].points[NOSE][0] > plain[i].points[NOSE][0] + 0.01, "the person's left is the picture's right");
        assert!(up[i].points[NOSE][1] < plain[i].points[NOSE][1] - 0.01);
        assert!(tilted[i].points[10][0] > plain[i].points[10][0] + 0.01, "the forehead goes to the person's left");
    }
    // 20 degrees are 20 degrees.
    let yaw = edited(
        &motion,
        &MotionEdit { pose: PoseOffset { yaw: 20.0, ..PoseOffset::default() }, ..MotionEdit::default() },
    );
    let between =
        |a: [f32; 4], b: [f32; 4]| 2.0 * a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>().abs().min(1.0).acos();
    for (frame, turned) in motion.frames().iter().zip(yaw.frames()) {
        assert!((between(frame.rotation, turned.rotation).to_degrees() - 20.0).abs() < 0.05);
    }
}

#[test]
fn eyes_and_lips_by_ratio_meet_it_and_drop_nothing_of_the_driven_motion() {
    let (motion, portrait) = (performance(9), portrait(2));
    let plain = moved(&motion, &portrait);
    for ratio in [0.0, 0.15, 0.3, 0.6] {
        let edit = MotionEdit {
            eyes: Some(Aperture::Ratio(ratio)),
            lips: Some(Aperture::Ratio(ratio)),
            // Pose off, so that gaps in the picture are gaps of the head.
            regions: vec![Region::Expression],
            ..MotionEdit::default()
        };
        let frames = moved(&edited(&motion, &edit), &portrait);
        let sizes = portrait.proportions();
        let scale = gap(&plain[0], 33, 133) / f64::from(sizes.eye_width[0]);
        for frame in &frames {
            let eye = gap(frame, UPPER_LID, LOWER_LID) / gap(&plain[0], 33, 133);
            // The ratio is the mean of three pairs of lid points; the middle one is a little wider.
            assert!((eye - ratio).abs() < 0.02 + 0.1 * ratio, "{eye} for {ratio}");
            let mouth = gap(frame, INNER_LIPS[0], INNER_LIPS[1]) / (scale * f64::from(sizes.mouth_width));
            assert!((mouth - ratio).abs() < 0.02 + 0.1 * ratio, "{mouth} for {ratio}");
        }
    }
    // Relative motion and an eye ratio at once: everything but the lids moves exactly as without.
    let edit = MotionEdit { eyes: Some(Aperture::Ratio(0.3)), ..MotionEdit::default() };
    let frames = moved(&edited(&motion, &edit), &portrait);
    let left: Vec<usize> = [362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398].into();
    let others = (0..478).filter(|i| !LIDS.contains(i) && !left.contains(i));
    for (frame, driven) in frames.iter().zip(&plain) {
        assert_eq!(farthest(frame, driven, others.clone()), 0.0);
    }
    let traveled =
        |frames: &[RetargetedFrame], i: usize| frames.iter().map(|f| farthest(f, &frames[0], [i])).fold(0.0, f64::max);
    assert!(traveled(&frames, NOSE) > 0.01 && traveled(&frames, 14) > 0.01, "pose and mouth are still driven");
}

#[test]
fn the_drivers_ratio_makes_a_squinting_portrait_open_its_eyes() {
    let motion = performance(9);
    let mut squinting = face(2);
    // Both lids half way to the middle of the eye, in the head and in the picture.
    for (upper, lower) in [
        (157, 154),
        (158, 153),
        (159, 145),
        (160, 144),
        (161, 163),
        (384, 381),
        (385, 380),
        (386, 374),
        (387, 373),
        (388, 390),
    ] {
        for points in [&mut squinting.head_points, &mut squinting.landmarks] {
            let middle = (points[upper][1] + points[lower][1]) / 2.0;
            for point in [upper, lower] {
                points[point][1] = middle + 0.4 * (points[point][1] - middle);
            }
        }
    }
    let squinting = PortraitFace::new(&squinting, SIZE).unwrap();
    let ratio = |frame: &RetargetedFrame| gap(frame, UPPER_LID, LOWER_LID) / gap(frame, 33, 133);
    let relative = moved(&motion, &squinting);
    let edit = MotionEdit { eyes: Some(Aperture::Driver), ..MotionEdit::default() };
    let by_ratio = moved(&edited(&motion, &edit), &squinting);
    let absolute = MotionEdit { expression: Some(ExpressionMode::Absolute), ..MotionEdit::default() };
    let absolute = moved(&edited(&motion, &absolute), &squinting);
    let driver = motion.frames()[0].openness.eyes[0] / motion.proportions().eye_width[0];
    assert!(ratio(&relative[0]) < 0.6 * f64::from(driver), "relative motion keeps the squint");
    for frames in [by_ratio, absolute] {
        // The middle pair of lid points is a little farther apart than the mean of three.
        assert!((ratio(&frames[0]) - f64::from(driver)).abs() < 0.15 * f64::from(driver));
    }
}

#[test]
fn absolute_expressions_take_the_portraits_own_smile_away() {
    let motion = performance(3);
    let mut smiling = face(8);
    let names = skyreels_landmarks::BLENDSHAPE_NAMES;
    for name in ["mouthSmileLeft", "mouthSmileRight"] {
        smiling.blendshapes[names.iter().position(|known| *known == name).unwrap()] = 0.9;
    }
    let smiling = PortraitFace::new(&smiling, SIZE).unwrap();
    let absolute = MotionEdit { expression: Some(ExpressionMode::Absolute), ..MotionEdit::default() };
    let (relative, absolute) = (moved(&motion, &smiling), moved(&edited(&motion, &absolute), &smiling));
    // The driver begins with a neutral face, so the corner of the mouth comes down (more in a picture) and in.
    assert!(absolute[0].points[MOUTH_CORNER][1] > relative[0].points[MOUTH_CORNER][1] + 1e-3);
    assert!(absolute[0].points[MOUTH_CORNER][0] < relative[0].points[MOUTH_CORNER][0] - 1e-3);
    assert_eq!(farthest(&absolute[0], &relative[0], [NOSE, 1, 168]), 0.0);
}

#[test]
fn a_clip_that_begins_with_an_open_mouth_can_be_neutralised() {
    let motion = synthetic::performance(48, 12.0, 2).unwrap();
    let mouth = |frame: &MotionFrame| frame.openness.mouth;
    let widest = (0..47).max_by(|a, b| mouth(&motion.frames()[*a]).total_cmp(&mouth(&motion.frames()[*b]))).unwrap();
    let trim = Some(Trim { start: widest as f64 / 12.0, end: None });
    let cut = |neutral| edited(&motion, &MotionEdit { trim, neutral, ..MotionEdit::default() });
    let portrait = portrait(3);
    let (kept, neutral) = (moved(&cut(Neutral::Keep), &portrait), moved(&cut(Neutral::MostNeutral), &portrait));
    assert!(gap(&kept[0], 13, 14) < 0.5, "the portrait's closed mouth is taken for the driver's open one");
    assert!(gap(&neutral[0], 13, 14) > 5.0, "the portrait opens its mouth as the driver does");
}
