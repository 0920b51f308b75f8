//! Controls on FLAME coefficients, and sliders against real faces.

use std::path::Path;

use skyreels_core::media::{FrameRate, VideoReader};
use skyreels_core::{Device, Limits};
use skyreels_landmarks::{
    BLENDSHAPE_NAMES, FaceFollower, FaceLandmarker, FacePick, FlameFrame, Motion, MotionEdit, PoseOffset, Region,
    draw::contours, slider_names,
};

use crate::motion_support::{edited, performance, sliders};

fn flame(i: usize) -> FlameFrame {
    let at = |k: usize| ((7 * i + 3 * k) % 23) as f32 / 16.0 - 0.7;
    FlameFrame {
        expression: std::array::from_fn(at),
        jaw: [0.05 + 0.02 * i as f32, 0.01, 0.0],
        eyelids: [0.1 + 0.03 * i as f32, 0.2],
        eye_pose: std::array::from_fn(|k| 0.1 * at(k)),
        rotation: [0.02 * i as f32, -0.03 * i as f32, 0.1],
        camera: [8.0 + 0.01 * i as f32, 0.0, 0.0],
        eyes: Some(std::array::from_fn(|side| std::array::from_fn(|k| [i as f32 + side as f32, k as f32]))),
    }
}

fn with_flame() -> Motion {
    performance(2).with_flame((0..24).map(|i| Some(flame(i))).collect()).unwrap()
}

fn of(motion: &Motion, i: usize) -> &FlameFrame {
    motion.frames()[i].flame.as_ref().unwrap()
}

#[test]
fn multiplier_regions_and_time_act_on_flame_as_on_the_mesh() {
    let motion = with_flame();
    let frozen = edited(&motion, &MotionEdit { multiplier: 0.0, ..MotionEdit::default() });
    let none = edited(&motion, &MotionEdit { regions: Vec::new(), ..MotionEdit::default() });
    for i in 0..24 {
        let (frozen, none, rest) = (of(&frozen, i), of(&none, i), flame(0));
        assert_eq!(
            (frozen.expression, frozen.jaw, frozen.camera, frozen.eyes),
            (rest.expression, rest.jaw, rest.camera, rest.eyes)
        );
        assert!(frozen.rotation.iter().zip(rest.rotation).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(*none, rest);
    }
    let pose = edited(&motion, &MotionEdit { regions: vec![Region::Pose], ..MotionEdit::default() });
    assert_eq!((of(&pose, 9).rotation, of(&pose, 9).expression), (flame(9).rotation, flame(0).expression));
    let eyes = edited(&motion, &MotionEdit { regions: vec![Region::Eyes], ..MotionEdit::default() });
    assert_eq!((of(&eyes, 9).eyelids, of(&eyes, 9).jaw), (flame(9).eyelids, flame(0).jaw));
    let half = edited(&motion, &MotionEdit { multiplier: 0.5, ..MotionEdit::default() });
    assert!((of(&half, 10).jaw[0] - (flame(0).jaw[0] + 0.1)).abs() < 1e-6);
}

#[test]
fn poses_and_the_sliders_of_lids_and_jaw_reach_flame() {
    let motion = with_flame();
    let turned = edited(
        &motion,
        &MotionEdit { pose: PoseOffset { yaw: 90.0, ..PoseOffset::default() }, ..MotionEdit::default() },
    );
    let length = |v: [f32; 3]| v.iter().map(|v| v * v).sum::<f32>().sqrt();
    assert!((length(of(&turned, 0).rotation) - std::f32::consts::FRAC_PI_2).abs() < 0.02);
    let slid = edited(&motion, &sliders(&[("eyeBlinkLeft", 1.0), ("jawOpen", 0.5), ("mouthPucker", 1.0)]));
    for i in 0..24 {
        assert_eq!(of(&slid, i).eyelids, [1.0, flame(i).eyelids[1]]);
        assert!(of(&slid, i).jaw[0] > flame(i).jaw[0] + 0.1);
        assert_eq!(of(&slid, i).expression, flame(i).expression, "FLAME's expressions have no names");
    }
}

/// Frames of each video; every one costs a run of the tracker.
const FRAMES: usize = 24;
/// Least share of the drawn points' movement that scores through sliders explain, on each video.
const EXPLAINED: f64 = 0.35;

#[test]
fn sliders_move_points_the_way_real_faces_with_these_scores_do() {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media"));
    if !media.is_dir() {
        println!("skipped: the reference media are not in {}", media.display());
        return;
    }
    let task = media.join("models/face_landmarker_v2_with_blendshapes.task");
    let tracker = FaceLandmarker::open(&task, &Limits::default(), &Device::flex()).unwrap();
    let drawn: Vec<usize> = contours::parts_3d().flat_map(|part| part.points).copied().collect();
    for name in ["1", "3", "4", "7"] {
        let video = VideoReader::open(media.join(format!("driving/{name}.mp4")), &Limits::default()).unwrap();
        let mut follower = FaceFollower::new(FacePick::Largest);
        let frames = video.sample(FrameRate::new(8, 1).unwrap(), FRAMES);
        let faces = frames.map(|frame| follower.follow(tracker.detect(&frame.unwrap().image).unwrap()));
        let motion = Motion::from_faces(faces.collect::<Vec<_>>(), 8.0).unwrap().motion;
        let start = motion.most_neutral();
        let still = Motion::new(8.0, *motion.proportions(), vec![motion.frames()[start].clone()]).unwrap();
        let (mut left, mut whole) = (0.0, 0.0);
        for frame in motion.frames() {
            let scores = BLENDSHAPE_NAMES.iter().zip(frame.blendshapes.iter().zip(still.frames()[0].blendshapes));
            let known: Vec<&str> = slider_names().collect();
            let differences: Vec<(&str, f64)> = scores
                .filter(|(name, _)| known.contains(name))
                .map(|(name, (now, rest))| (*name, f64::from(now - rest)))
                .collect();
            let posed = edited(&still, &sliders(&differences));
            for point in &drawn {
                let at = |motion: &Motion, k: usize| f64::from(motion.frames()[0].expression[*point][k]);
                for k in 0..2 {
                    let moved = f64::from(frame.expression[*point][k]) - at(&still, k);
                    let ours = at(&posed, k) - at(&still, k);
                    left += (moved - ours).powi(2);
                    whole += moved.powi(2);
                }
            }
        }
        let explained = 1.0 - left / whole;
        println!("video {name}: sliders explain {:.0} % of the movement of the drawn points", 100.0 * explained);
        assert!(explained > EXPLAINED, "video {name}: {explained}");
    }
}
