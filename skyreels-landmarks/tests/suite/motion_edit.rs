//! Controls: what each of them promises, alone and together.

use proptest::prelude::*;
use skyreels_landmarks::{
    Aperture, Error, ExpressionMode, MAX_MULTIPLIER, Motion, MotionEdit, MotionFrame, Neutral, PoseOffset, Region,
    Repeat, RepeatMode, RetargetedFrame, Retime, SmoothingWeights, Trim, slider_names, synthetic,
};

use crate::motion_support::{
    BROW, MOUTH_CORNER, NOSE, UPPER_LID, edited, farthest, moved, performance, portrait, sliders,
};

fn length(rotation: [f32; 4]) -> f32 {
    rotation.iter().map(|v| v * v).sum::<f32>().sqrt()
}

prop_compose! {
    /// Anything that a user could ask for.
    fn any_edit()(
        times in (0.0f64..0.8, 0.25f64..4.0, prop::option::of(5.0f64..40.0), 1usize..4, any::<bool>()),
        face in (0.1f64..=1.0, 0.0f64..=MAX_MULTIPLIER, -1.0f64..=1.0, -1.0f64..=1.0),
        slider in prop::sample::select(slider_names().collect::<Vec<_>>()),
        pose in prop::array::uniform3(-90.0f64..=90.0),
        apertures in (prop::option::of(0.0f64..1.0), prop::option::of(0.0f64..1.0)),
        regions in prop::collection::vec(
            prop::sample::select(vec![Region::All, Region::Expression, Region::Pose, Region::Lips, Region::Eyes]), 0..3,
        ),
    ) -> MotionEdit {
        // Numbers of a few digits, as people write them, are exact in JSON.
        let short = |v: f64| (v * 1000.0).round() / 1000.0;
        let (start, speed, rate, times, forth) = (short(times.0), short(times.1), times.2.map(short), times.3, times.4);
        let (weight, multiplier, value, jaw) = (short(face.0), short(face.1), short(face.2), short(face.3));
        MotionEdit {
            trim: Some(Trim { start, end: None }),
            smoothing: SmoothingWeights { expression: weight, pose: short(1.1 - weight) },
            neutral: Neutral::MostNeutral,
            expression: Some(if forth { ExpressionMode::Absolute } else { ExpressionMode::Relative }),
            regions,
            multiplier,
            sliders: [(slider.to_owned(), value), ("jawOpen".to_owned(), jaw)].into(),
            pose: PoseOffset { yaw: short(pose[0]), pitch: short(pose[1]), roll: short(pose[2]) },
            eyes: apertures.0.map(short).map(Aperture::Ratio),
            lips: apertures.1.map(short).map(Aperture::Ratio),
            retime: Retime { speed, rate, frames: None },
            repeat: Some(Repeat { mode: if forth { RepeatMode::PingPong } else { RepeatMode::Loop }, times }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_asked_the_result_is_a_motion(edit in any_edit(), seed in 0u64..1000) {
        let motion = performance(seed);
        let result = edit.apply(&motion).unwrap();
        for frame in result.frames() {
            prop_assert!((length(frame.rotation) - 1.0).abs() < 1e-5, "rotations stay rotations");
            prop_assert!(frame.blendshapes.iter().all(|v| (0.0..=1.0).contains(v)));
            prop_assert!(frame.expression.as_flattened().iter().all(|v| v.is_finite()));
            prop_assert!(frame.openness.mouth >= 0.0 && frame.openness.eyes.iter().all(|gap| *gap >= 0.0));
        }
        prop_assert_eq!(edit.shown_frames(&motion).unwrap().len(), result.frames().len());
        // It can be put together anew: everything is within bounds.
        prop_assert!(Motion::new(result.rate(), *result.proportions(), result.frames().to_vec()).is_ok());
        prop_assert_eq!(moved(&result, &portrait(seed)).len(), result.frames().len());
    }

    #[test]
    fn json_gives_back_the_same_edit(edit in any_edit()) {
        prop_assert_eq!(MotionEdit::from_json(&edit.to_json()).unwrap(), edit);
    }

    #[test]
    fn nothing_changed_is_the_motion_itself(seed in 0u64..1000) {
        let motion = performance(seed);
        prop_assert_eq!(edited(&motion, &MotionEdit::default()), motion.clone());
        let one = MotionEdit { multiplier: 1.0, sliders: [("jawOpen".to_owned(), 0.0)].into(), ..MotionEdit::default() };
        prop_assert_eq!(edited(&motion, &one), motion);
    }

    #[test]
    fn multiplier_zero_and_no_region_freeze_the_portrait(seed in 0u64..1000) {
        let (motion, portrait) = (performance(seed), portrait(seed + 1));
        for edit in [
            MotionEdit { multiplier: 0.0, ..MotionEdit::default() },
            MotionEdit { regions: Vec::new(), ..MotionEdit::default() },
        ] {
            for frame in moved(&edited(&motion, &edit), &portrait) {
                let still = portrait.landmarks().iter().zip(&frame.points);
                let off = still.flat_map(|(a, b)| (0..3).map(|k| (f64::from(a[k]) - b[k]).abs())).fold(0.0, f64::max);
                prop_assert!(off < 1e-6, "{off}");
            }
        }
    }

    #[test]
    fn multipliers_in_a_row_multiply(seed in 0u64..1000, a in 0.1f64..1.5, b in 0.1f64..1.5) {
        let motion = performance(seed);
        let by = |multiplier| MotionEdit { multiplier, ..MotionEdit::default() };
        let twice = edited(&edited(&motion, &by(a)), &by(b));
        let once = edited(&motion, &by(a * b));
        for (p, q) in twice.frames().iter().zip(once.frames()) {
            let gap = p.rotation.iter().zip(q.rotation).map(|(p, q)| (p - q).abs()).fold(0.0, f32::max);
            prop_assert!(gap < 1e-5);
            let points = p.expression.as_flattened().iter().zip(q.expression.as_flattened());
            prop_assert!(points.map(|(p, q)| (p - q).abs()).fold(0.0, f32::max) < 1e-4);
        }
    }

    #[test]
    fn retiming_keeps_both_ends(seed in 0u64..1000, speed in 0.1f64..8.0, rate in 3.0f64..60.0, count in 2usize..80) {
        let motion = performance(seed);
        for retime in [
            Retime { speed, ..Retime::default() },
            Retime { rate: Some(rate), ..Retime::default() },
            Retime { frames: Some(count), ..Retime::default() },
        ] {
            let result = edited(&motion, &MotionEdit { retime, ..MotionEdit::default() });
            prop_assert_eq!(&result.frames()[0], &motion.frames()[0]);
            if result.frames().len() > 1 {
                prop_assert_eq!(result.frames().last(), motion.frames().last());
            }
            prop_assert_eq!(result.rate(), retime.rate.unwrap_or(12.0));
            if let Some(frames) = retime.frames {
                prop_assert_eq!(result.frames().len(), frames);
            } else {
                let seconds = 23.0 / 12.0 / retime.speed;
                let got = (result.frames().len() - 1) as f64 / result.rate();
                prop_assert!((got - seconds).abs() <= 0.5 / result.rate() + 1e-9, "{got} for {seconds} seconds");
            }
        }
    }

    #[test]
    fn loops_and_ping_pongs_have_their_stated_lengths(frames in 1usize..20, times in 1usize..5) {
        let motion = synthetic::performance(frames, 12.0, 1).unwrap();
        let repeated = |mode| {
            let repeat = Some(Repeat { mode, times });
            edited(&motion, &MotionEdit { repeat, ..MotionEdit::default() })
        };
        let looped = repeated(RepeatMode::Loop);
        prop_assert_eq!(looped.frames().len(), frames * times);
        prop_assert!(looped.frames().iter().enumerate().all(|(i, frame)| *frame == motion.frames()[i % frames]));
        let pong = repeated(RepeatMode::PingPong);
        prop_assert_eq!(pong.frames().len(), 2 * (frames - 1) * times + 1);
        let backwards: Vec<MotionFrame> = pong.frames().iter().rev().cloned().collect();
        prop_assert_eq!(pong.frames(), &backwards[..], "it is the same backwards");
        prop_assert_eq!(pong.frames().last(), motion.frames().first());
    }

    #[test]
    fn trimming_is_what_cutting_the_video_would_be(start in 0usize..10, count in 1usize..14, seed in 0u64..1000) {
        let motion = performance(seed);
        let trim = Trim { start: start as f64 / 12.0, end: Some((start + count) as f64 / 12.0) };
        let result = edited(&motion, &MotionEdit { trim: Some(trim), ..MotionEdit::default() });
        prop_assert_eq!(result.frames(), &motion.frames()[start..start + count]);
        prop_assert_eq!(result.rest(), &motion.frames()[start]);
        let still = portrait(seed);
        prop_assert!(farthest(&moved(&result, &still)[0], &moved(&motion, &still)[0], 0..478) < 1e-9);
    }

    #[test]
    fn regions_carry_over_themselves_and_nothing_else(seed in 0u64..1000) {
        let (motion, portrait) = (performance(seed), portrait(seed + 2));
        let only = |regions: &[Region]| {
            let edit = MotionEdit { regions: regions.to_vec(), ..MotionEdit::default() };
            moved(&edited(&motion, &edit), &portrait)
        };
        let (whole, rest) = (moved(&motion, &portrait), &moved(&motion, &portrait)[0]);
        let both = only(&[Region::Expression, Region::Pose]);
        let (eyes, lips, pose) = (only(&[Region::Eyes]), only(&[Region::Lips]), only(&[Region::Pose]));
        for i in 0..whole.len() {
            prop_assert!(farthest(&both[i], &whole[i], 0..478) < 1e-6);
            prop_assert!(farthest(&eyes[i], rest, [13, 14, 61, BROW, NOSE, 152]) < 1e-9);
            prop_assert!(farthest(&lips[i], rest, [33, UPPER_LID, 468, BROW, NOSE]) < 1e-9);
            prop_assert!(farthest(&pose[0], rest, 0..478) < 1e-9);
        }
        let far = |frames: &[RetargetedFrame], point| frames.iter().map(|f| farthest(f, rest, [point])).fold(0.0, f64::max);
        prop_assert!(far(&eyes, 468) > 1e-3 && far(&lips, 14) > 1e-3 && far(&pose, NOSE) > 1e-3);
    }
}

#[test]
fn controls_act_in_the_stated_order() {
    let motion = performance(4);
    let all = MotionEdit {
        trim: Some(Trim { start: 0.25, end: None }),
        smoothing: SmoothingWeights { expression: 0.6, pose: 0.8 },
        neutral: Neutral::Frame(2),
        regions: vec![Region::Lips, Region::Pose],
        multiplier: 1.3,
        pose: PoseOffset { yaw: 12.0, pitch: -4.0, roll: 3.0 },
        eyes: Some(Aperture::Ratio(0.2)),
        lips: Some(Aperture::Driver),
        retime: Retime { speed: 0.7, ..Retime::default() },
        repeat: Some(Repeat { mode: RepeatMode::PingPong, times: 1 }),
        ..sliders(&[("mouthSmileLeft", 0.5), ("eyeBlinkRight", 0.4)])
    };
    // One after the other, in the order of the documentation, each alone.
    let nothing = MotionEdit::default;
    let steps = [
        MotionEdit { trim: all.trim, ..nothing() },
        MotionEdit { smoothing: all.smoothing, ..nothing() },
        MotionEdit { neutral: all.neutral, ..nothing() },
        MotionEdit { regions: all.regions.clone(), ..nothing() },
        MotionEdit { multiplier: all.multiplier, ..nothing() },
        MotionEdit { sliders: all.sliders.clone(), ..nothing() },
        MotionEdit { pose: all.pose, ..nothing() },
        MotionEdit { eyes: all.eyes, lips: all.lips, ..nothing() },
        MotionEdit { retime: all.retime, ..nothing() },
        MotionEdit { repeat: all.repeat, ..nothing() },
    ];
    let stepwise = steps.iter().fold(motion.clone(), |motion, step| edited(&motion, step));
    assert_eq!(edited(&motion, &all), stepwise);
    // And the order matters: a slider before the multiplier is multiplied too.
    let (smile, double) = (sliders(&[("mouthSmileLeft", 0.5)]), MotionEdit { multiplier: 2.0, ..nothing() });
    let corner = |motion: &Motion| motion.frames()[5].expression[MOUTH_CORNER][1];
    let driven = corner(&edited(&motion, &double));
    let after = corner(&edited(&edited(&motion, &double), &smile)) - driven;
    let before = corner(&edited(&edited(&motion, &smile), &double)) - driven;
    assert!((before / after - 2.0).abs() < 1e-3, "{before} {after}");
}

#[test]
fn smoothing_calms_and_does_not_lag() {
    let motion = performance(5);
    let smooth = MotionEdit { smoothing: SmoothingWeights { expression: 0.4, pose: 0.4 }, ..MotionEdit::default() };
    let smooth = edited(&motion, &smooth);
    let jerk = |motion: &Motion| -> f32 {
        let y = |i: usize| motion.frames()[i].expression[14][1];
        (2..24).map(|i| (y(i) - 2.0 * y(i - 1) + y(i - 2)).abs()).sum()
    };
    assert!(jerk(&smooth) < 0.6 * jerk(&motion), "{} {}", jerk(&smooth), jerk(&motion));
    // A step in the middle stays in the middle.
    let mut frames = vec![motion.frames()[0].clone(); 21];
    frames[10..].iter_mut().for_each(|frame| frame.expression[14][1] -= 1.0);
    let step = Motion::new(12.0, *motion.proportions(), frames).unwrap();
    let edit = MotionEdit { smoothing: SmoothingWeights { expression: 0.5, pose: 1.0 }, ..MotionEdit::default() };
    let step = edited(&step, &edit);
    let start = motion.frames()[0].expression[14][1];
    let half = step.frames().iter().position(|frame| frame.expression[14][1] - start < -0.5).unwrap();
    assert!((9..=10).contains(&half), "{half}");
}

#[test]
fn one_frame_there_and_back_a_trillion_times_is_one_frame_at_once() {
    // Found by fuzzing: an edit that took hours to make nothing of nothing.
    let motion = synthetic::performance(1, 12.0, 1).unwrap();
    let repeat = Some(Repeat { mode: RepeatMode::PingPong, times: 8_444_444_444_444 });
    let edit = MotionEdit { repeat, ..MotionEdit::default() };
    assert_eq!(edited(&motion, &edit), motion);
    assert_eq!(edit.shown_frames(&motion).unwrap(), [0]);
}

#[test]
fn edits_without_sense_are_refused_by_name() {
    let motion = performance(1);
    let nothing = MotionEdit::default;
    for (bad, part) in [
        (MotionEdit { multiplier: -1.0, ..nothing() }, "multiplier"),
        (MotionEdit { multiplier: f64::NAN, ..nothing() }, "multiplier"),
        (sliders(&[("mouthSmirk", 0.5)]), "mouthSmirk"),
        (sliders(&[("jawOpen", 2.0)]), "jawOpen = 2"),
        (MotionEdit { pose: PoseOffset { yaw: 200.0, ..PoseOffset::default() }, ..nothing() }, "yaw"),
        (MotionEdit { eyes: Some(Aperture::Ratio(-0.1)), ..nothing() }, "eyes"),
        (MotionEdit { lips: Some(Aperture::Ratio(f64::INFINITY)), ..nothing() }, "lips"),
        (MotionEdit { trim: Some(Trim { start: 5.0, end: None }), ..nothing() }, "nothing is left"),
        (MotionEdit { trim: Some(Trim { start: 1.0, end: Some(1.0) }), ..nothing() }, "trim"),
        (MotionEdit { retime: Retime { speed: 0.0, ..Retime::default() }, ..nothing() }, "speed"),
        (MotionEdit { retime: Retime { rate: Some(0.0), ..Retime::default() }, ..nothing() }, "rate"),
        (MotionEdit { retime: Retime { frames: Some(0), ..Retime::default() }, ..nothing() }, "frames"),
        (MotionEdit { repeat: Some(Repeat { mode: RepeatMode::Loop, times: 0 }), ..nothing() }, "repeat"),
        (MotionEdit { repeat: Some(Repeat { mode: RepeatMode::Loop, times: usize::MAX }), ..nothing() }, "at most"),
        (MotionEdit { smoothing: SmoothingWeights { expression: 0.0, pose: 1.0 }, ..nothing() }, "smoothing"),
        (MotionEdit { neutral: Neutral::Frame(24), ..nothing() }, "frame 24"),
    ] {
        let error = bad.apply(&motion).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(part), "{part}: {error}");
    }
    let error = MotionEdit::from_json(r#"{ "multiplyer": 2 }"#).unwrap_err().to_string();
    assert!(error.contains("multiplyer") && error.contains("line 1"), "{error}");
}
