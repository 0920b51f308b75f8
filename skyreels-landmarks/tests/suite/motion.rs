//! Motion: gaps, files, and what is refused.

use std::fs;

use skyreels_core::Limits;
use skyreels_landmarks::{Counts, Error, Face, Motion, State, synthetic};

/// Faces that differ in pose and shape, as frames of a video.
fn face(seed: u64) -> Face {
    synthetic::portrait(96, 64, seed).unwrap().1
}

fn motion() -> Motion {
    synthetic::performance(7, 12.0, 5).unwrap()
}

#[test]
fn gaps_are_filled_and_the_number_of_frames_stays() {
    let faces = [None, Some(face(1)), None, None, None, Some(face(2)), None];
    let gathered = Motion::from_faces(faces, 25.0).unwrap();
    let frames = gathered.motion.frames();
    assert_eq!(gathered.counts, Counts { seen: 2, held: 2, interpolated: 3 });
    assert_eq!(gathered.reference, 1);
    use State::{Held, Interpolated as Between, Seen};
    let states: Vec<State> = frames.iter().map(|frame| frame.state).collect();
    assert_eq!(states, [Held, Seen, Between, Between, Between, Seen, Held]);
    assert_eq!(frames[0].expression, frames[1].expression);
    assert_eq!(frames[6].rotation, frames[5].rotation);
    assert!(frames[1].expression.as_flattened().iter().all(|v| *v == 0.0), "the first seen frame is the reference");
    for (at, share) in [(2, 0.25), (3, 0.5), (4, 0.75)] {
        let expected = frames[5].expression[13][1] * share;
        assert!((frames[at].expression[13][1] - expected).abs() < 1e-6);
        // On the arc from the first to the second, at that share of the angle.
        assert!(
            (angle(frames[1].rotation, frames[at].rotation) / angle(frames[1].rotation, frames[5].rotation) - share)
                .abs()
                < 1e-2
        );
    }
}

fn angle(a: [f32; 4], b: [f32; 4]) -> f32 {
    // From the chord, which keeps its precision for small angles.
    let chord = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    4.0 * (chord / 2.0).asin()
}

#[test]
fn a_video_without_any_face_is_an_error_that_says_what_to_do() {
    for faces in [vec![], vec![None; 9]] {
        let count = faces.len();
        let error = Motion::from_faces(faces, 25.0).unwrap_err();
        assert!(matches!(error, Error::NoFace { .. }));
        assert!(error.to_string().contains(&count.to_string()) && error.to_string().contains("use a video"), "{error}");
    }
}

#[test]
fn faces_without_points_or_pose_are_refused() {
    let mut short = face(1);
    short.head_points.truncate(468);
    let mut lost = face(1);
    lost.head_points[7][1] = f32::NAN;
    let mut flat = face(1);
    flat.matrix = [[0.0; 4]; 4];
    for bad in [short, lost, flat] {
        let error = Motion::from_faces([Some(face(1)), Some(bad)], 25.0).unwrap_err();
        assert!(error.to_string().contains("frame 1"), "{error}");
    }
    assert!(Motion::from_faces([Some(face(1))], 0.0).is_err());
    assert!(Motion::from_faces([Some(face(1))], f64::NAN).is_err());
}

#[test]
fn a_file_gives_back_the_same_motion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.motion");
    let motion = motion();
    motion.save(&path).unwrap();
    assert_eq!(Motion::open(&path, &Limits::default()).unwrap(), motion);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");
}

#[test]
fn a_motion_can_be_cut() {
    let motion = motion();
    assert_eq!(motion.first(3).unwrap().frames(), &motion.frames()[..3]);
    assert!(motion.first(0).is_none() && motion.first(8).is_none());
}

/// Saves the motion, changes its bytes, and returns what opening it says.
fn refused(change: impl Fn(&mut Vec<u8>), limits: &Limits) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.motion");
    motion().save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(&path, bytes).unwrap();
    let error = Motion::open(&path, limits).expect_err("a damaged file must not open").to_string();
    assert!(error.contains("clip.motion"), "{error}");
    error
}

fn replace(from: &'static str, to: &'static str) -> impl Fn(&mut Vec<u8>) {
    assert_eq!(from.len(), to.len(), "offsets must stay");
    move |bytes| {
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("the text is there");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
}

/// Overwrites the first number of a tensor.
fn set(name: &'static str, value: f32) -> impl Fn(&mut Vec<u8>) {
    move |bytes| {
        let header = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let start = 8 + header + usize::try_from(json[name]["data_offsets"][0].as_u64().unwrap()).unwrap();
        bytes[start..start + 4].copy_from_slice(&value.to_le_bytes());
    }
}

#[test]
fn damaged_files_are_refused_and_the_error_says_where() {
    let limits = Limits::default();
    refused(|bytes| bytes.truncate(4), &limits);
    refused(|bytes| bytes.clear(), &limits);
    refused(|bytes| bytes.truncate(bytes.len() - 1), &limits);
    refused(|bytes| bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes()), &limits);
    refused(|bytes| bytes[..8].copy_from_slice(&9_000_000u64.to_le_bytes()), &limits);
    refused(replace("skyreels-motion", "another-formats"), &limits);
    assert!(refused(replace("[7,478,3]", "[478,7,3]"), &limits).contains("expression"));
    assert!(refused(replace("\"rotation\"", "\"rotatiom\""), &limits).contains("rotation"));
    assert!(refused(replace("\"version\":\"1\"", "\"version\":\"9\""), &limits).contains("format 9"));
    assert!(refused(replace("\"rate\":\"12\"", "\"rate\":\"-1\""), &limits).contains("rate"));
    assert!(refused(set("rotation", 3.0), &limits).contains("frame 0"));
    assert!(refused(set("expression", f32::NAN), &limits).contains("expression"));
    assert!(refused(set("translation", f32::INFINITY), &limits).contains("translation"));
    assert!(refused(set("blendshapes", 7.0), &limits).contains("blendshapes"));
    assert!(refused(set("proportions", f32::NAN), &limits).contains("proportions"));
}

#[test]
fn files_over_the_limits_are_refused() {
    let few = Limits { max_frames: 6, ..Limits::default() };
    assert!(refused(|_| {}, &few).contains("limit of 6"));
    let small = Limits { max_file_bytes: 1000, ..Limits::default() };
    assert!(refused(|_| {}, &small).contains("limit of 1000"));
    let short = Limits { max_header_bytes: 10, ..Limits::default() };
    assert!(refused(|_| {}, &short).contains("limit of 10"));
}

#[test]
fn any_flipped_byte_gives_an_error_or_a_valid_motion() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.motion");
    synthetic::performance(1, 12.0, 5).unwrap().save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    for at in (0..bytes.len()).step_by(23) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, damaged).unwrap();
        if let Ok(motion) = Motion::open(&path, &Limits::default()) {
            assert!(motion.frames()[0].expression.as_flattened().iter().all(|v| v.is_finite()));
        }
    }
}
