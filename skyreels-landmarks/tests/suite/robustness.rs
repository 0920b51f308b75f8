//! Hard cases made from the sample media: one answer per frame, the right faces in it, and nothing that is not there.

use std::path::Path;
use std::time::Duration;

use skyreels_core::media::VideoReader;
use skyreels_core::{Frame, Limits};
use skyreels_landmarks::{
    Error, Face, FaceFollower, FaceLandmarker, FacePick, LandmarkerOptions, Motion, OneEuro, Smoothing, State,
    StreamOptions, TrackingMode,
};

use crate::mediapipe_support::{landmarker, media, picture};

const STEP: Duration = Duration::from_millis(40);

fn many(media: &Path) -> FaceLandmarker {
    landmarker(media).with_options(LandmarkerOptions { max_faces: 4, ..LandmarkerOptions::default() }).unwrap()
}

/// Faces of every frame, in one stream.
fn track(landmarker: &FaceLandmarker, options: StreamOptions, frames: &[Frame]) -> Vec<Vec<Face>> {
    let mut stream = landmarker.stream(&options).unwrap();
    (0..).zip(frames).map(|(i, frame)| stream.track(frame, STEP * i).unwrap()).collect()
}

fn ids(faces: &[Face]) -> Vec<u32> {
    faces.iter().map(|face| face.id.unwrap()).collect()
}

/// A portrait at half its size, 640x360.
fn portrait(media: &Path, number: u32) -> Frame {
    let picture = picture(&media.join(format!("portraits/{number}.png")));
    image::imageops::thumbnail(&picture, 640, 360)
}

/// A part of a picture, black where it reaches outside.
fn window(picture: &Frame, left: i64, top: i64, size: [u32; 2]) -> Frame {
    let mut canvas = Frame::new(size[0], size[1]);
    image::imageops::replace(&mut canvas, picture, -left, -top);
    canvas
}

fn beside(left: &Frame, right: &Frame) -> Frame {
    let mut both = Frame::new(left.width() + right.width(), left.height().max(right.height()));
    image::imageops::replace(&mut both, left, 0, 0);
    image::imageops::replace(&mut both, right, i64::from(left.width()), 0);
    both
}

/// The middle of a portrait, so that two fit beside each other.
fn middle(media: &Path, number: u32) -> Frame {
    window(&portrait(media, number), 140, 0, [360, 360])
}

fn modes() -> [StreamOptions; 2] {
    [StreamOptions::image(), StreamOptions::default()]
}

#[test]
fn two_people_keep_their_numbers_while_they_move_and_the_picked_one_is_followed() {
    let Some(media) = media() else { return };
    let both = beside(&middle(&media, 1), &middle(&media, 2));
    let frames: Vec<Frame> = (0..5).map(|i| window(&both, 12 * i, 0, [720, 360])).collect();
    for options in modes() {
        let faces = track(&many(&media), options, &frames);
        for found in &faces {
            assert_eq!(ids(found), ids(&faces[0]), "{:?}", options.mode);
            assert_eq!(found.len(), 2);
            let left = |id: usize| found[id].bbox[0] < 0.5;
            assert_eq!(left(0), faces[0][0].bbox[0] < 0.5, "number 0 stays on its side");
            assert_ne!(left(0), left(1));
        }
        for (pick, left) in [(FacePick::Index(0), true), (FacePick::Index(1), false)] {
            let mut follower = FaceFollower::new(pick);
            let followed = faces.iter().map(|found| follower.follow(found.clone()).unwrap());
            assert!(followed.into_iter().all(|face| (face.bbox[0] < 0.45) == left));
        }
    }
}

#[test]
fn a_face_that_enters_late_is_found_and_what_came_before_is_held() {
    let Some(media) = media() else { return };
    let (with, without) = (portrait(&media, 1), Frame::from_pixel(640, 360, image::Rgb([90, 110, 100])));
    let frames = [&without, &without, &with, &with, &without].map(Clone::clone);
    for options in modes() {
        let faces = track(&landmarker(&media), options, &frames);
        let counts: Vec<usize> = faces.iter().map(Vec::len).collect();
        assert_eq!(counts, [0, 0, 1, 1, 0], "{:?}", options.mode);
        let mut follower = FaceFollower::new(FacePick::Largest);
        let gathered = Motion::from_faces(faces.into_iter().map(|found| follower.follow(found)), 25.0).unwrap();
        let states: Vec<State> = gathered.motion.frames().iter().map(|frame| frame.state).collect();
        assert_eq!(states, [State::Held, State::Held, State::Seen, State::Seen, State::Held]);
        assert_eq!(gathered.reference, 2);
    }
}

#[test]
fn a_second_person_who_enters_gets_a_new_number_and_does_not_take_over() {
    let Some(media) = media() else { return };
    let (one, two) = (middle(&media, 1), middle(&media, 2));
    let alone = beside(&Frame::new(360, 360), &one);
    let together = beside(&two, &one);
    for options in modes() {
        let faces = track(&many(&media), options, &[alone.clone(), together.clone(), alone.clone()]);
        assert_eq!(faces.iter().map(|found| ids(found)).collect::<Vec<_>>(), [vec![0], vec![0, 1], vec![0]]);
        assert!(faces.iter().all(|found| found[0].bbox[0] > 0.5), "number 0 is the person on the right");
    }
}

#[test]
fn a_cut_costs_no_frame_where_faces_are_looked_for_at_once_and_one_where_mediapipe_looks() {
    let Some(media) = media() else { return };
    let right = window(&portrait(&media, 1), -180, 0, [640, 360]);
    let left = window(&portrait(&media, 2), 240, 0, [640, 360]);
    let frames = [&right, &right, &left, &left, &left].map(Clone::clone);
    let late = StreamOptions { redetect_at_once: false, ..StreamOptions::default() };
    for (options, expected) in [
        (StreamOptions::image(), [1, 1, 1, 1, 1]),
        (StreamOptions::default(), [1, 1, 1, 1, 1]),
        (late, [1, 1, 0, 1, 1]),
    ] {
        let counts: Vec<usize> = track(&landmarker(&media), options, &frames).iter().map(Vec::len).collect();
        assert_eq!(counts, expected, "{options:?}");
    }
}

#[test]
fn black_frames_have_no_face_and_the_person_comes_back_with_the_same_number() {
    let Some(media) = media() else { return };
    let (face, black) = (portrait(&media, 4), Frame::new(640, 360));
    let frames = [face.clone(), black.clone(), black.clone(), face.clone(), face, black];
    for options in modes() {
        let faces = track(&landmarker(&media), options, &frames);
        let found: Vec<Vec<u32>> = faces.iter().map(|found| ids(found)).collect();
        assert_eq!(found, [vec![0], vec![], vec![], vec![0], vec![0], vec![]], "{:?}", options.mode);
        let faces = faces.into_iter().map(|mut found| found.pop());
        let counts = Motion::from_faces(faces, 25.0).unwrap().counts;
        assert_eq!((counts.seen, counts.interpolated, counts.held), (3, 2, 1));
    }
    let nobody = track(&landmarker(&media), StreamOptions::default(), &vec![Frame::new(64, 64); 3]);
    let error = Motion::from_faces(nobody.into_iter().map(|mut found| found.pop()), 25.0).unwrap_err();
    assert!(matches!(&error, Error::NoFace { .. }) && error.to_string().contains("3 driving frames"), "{error}");
}

#[test]
fn turned_phone_videos_show_faces_whose_roll_says_how_far_they_are_turned() {
    let Some(media) = media() else { return };
    let upright = middle(&media, 1);
    let turned = [
        (upright.clone(), 0.0f32),
        (image::imageops::rotate90(&upright), -90.0),
        (image::imageops::rotate270(&upright), 90.0),
    ];
    let landmarker = landmarker(&media);
    let straight = landmarker.detect(&upright).unwrap().remove(0).angles().roll;
    for (frame, roll) in turned {
        for options in modes() {
            let faces = track(&landmarker, options, &[frame.clone(), frame.clone()]);
            let [_, last] = &faces[..] else { unreachable!() };
            let [face] = &last[..] else { panic!("{} faces at {roll} degrees, {:?}", last.len(), options.mode) };
            let error = (face.angles().roll - straight - roll + 540.0).rem_euclid(360.0) - 180.0;
            assert!(error.abs() < 8.0, "{:?} at {roll} degrees, {:?}", face.angles(), options.mode);
        }
    }
    // The detector knows no heads upside down, here and in MediaPipe: frames have to be turned before.
    let upside_down = vec![image::imageops::rotate180(&upright); 2];
    assert!(track(&landmarker, StreamOptions::default(), &upside_down).iter().all(Vec::is_empty));
}

#[test]
fn a_head_that_turns_is_followed_and_its_mirror_image_turns_the_other_way() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    let reader = VideoReader::open(media.join("driving/1.mp4"), &Limits::default()).unwrap();
    let mut frames: Vec<Frame> = reader.select((0..78).step_by(8).collect()).map(|f| f.unwrap().image).collect();
    let video = frames.len();
    // The most turned heads of the sample pictures, in one stream of cuts.
    frames.extend([5, 8].map(|number| window(&portrait(&media, number), 64, 0, [512, 512])));
    let mirrored: Vec<Frame> = frames.iter().map(image::imageops::flip_horizontal).collect();
    let [faces, mirror] = [&frames, &mirrored].map(|frames| track(&landmarker, StreamOptions::default(), frames));
    let mut yaws = Vec::new();
    for (face, other) in faces.iter().zip(&mirror) {
        let ([face], [other]) = (&face[..], &other[..]) else { panic!("one face in every frame") };
        let (a, b) = (face.angles(), other.angles());
        assert!((a.yaw + b.yaw).abs() < 6.0 && (a.pitch - b.pitch).abs() < 6.0 && (a.roll + b.roll).abs() < 6.0);
        yaws.push(a.yaw);
    }
    let range = yaws[..video].iter().fold([f32::MAX, f32::MIN], |[low, high], yaw| [low.min(*yaw), high.max(*yaw)]);
    assert!(range[1] - range[0] > 10.0 && yaws[video] < -28.0 && yaws[video + 1] < -25.0, "{yaws:?}");
}

#[test]
fn a_face_that_leaves_over_the_border_is_reported_until_it_is_gone() {
    let Some(media) = media() else { return };
    let face = portrait(&media, 1);
    let frames: Vec<Frame> = (0..6).map(|i| window(&face, 90 * i, 0, [640, 360])).collect();
    for options in modes() {
        let faces = track(&landmarker(&media), options, &frames);
        let counts: Vec<usize> = faces.iter().map(Vec::len).collect();
        let last = counts.iter().rposition(|count| *count == 1).unwrap();
        assert!(counts[..=last].iter().all(|count| *count == 1) && (3..5).contains(&last), "{counts:?}");
        assert!(faces[..=last].iter().all(|found| ids(found) == [0]));
        let points = faces.iter().flatten().flat_map(|face| face.landmarks.as_flattened());
        assert!(points.into_iter().all(|v| v.is_finite()));
    }
}

#[test]
fn motion_blur_leaves_the_face_where_it_is() {
    let Some(media) = media() else { return };
    let sharp = portrait(&media, 1);
    let blurred = Frame::from_fn(640, 360, |x, y| {
        let taps = (0..15u32).map(|i| sharp.get_pixel((x + i).saturating_sub(7).min(639), y).0);
        image::Rgb(taps.fold([0u32; 3], |sum, p| [0, 1, 2].map(|c| sum[c] + u32::from(p[c]))).map(|v| (v / 15) as u8))
    });
    for options in modes() {
        let faces = track(&landmarker(&media), options, &[sharp.clone(), blurred.clone(), sharp.clone()]);
        let center = |found: &[Face]| (found[0].bbox[0] + found[0].bbox[2]) * 320.0;
        assert!(faces.iter().all(|found| ids(found) == [0]));
        assert!((center(&faces[1]) - center(&faces[0])).abs() < 6.0, "{:?}", options.mode);
    }
}

#[test]
fn tiny_and_huge_faces_are_found_or_left_out_as_asked() {
    let Some(media) = media() else { return };
    let face = portrait(&media, 1);
    let tiny = window(&image::imageops::thumbnail(&face, 240, 135), -700, -400, [1280, 720]);
    let plain = landmarker(&media);
    assert!(plain.detect(&tiny).unwrap().is_empty(), "too small for the detector");
    let close = LandmarkerOptions { second_look: true, ..LandmarkerOptions::default() };
    let found = track(&plain.with_options(close).unwrap(), StreamOptions::default(), &[tiny.clone(), tiny.clone()]);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let side = (found[1][0].bbox[3] - found[1][0].bbox[1]) * 720.0;
    assert!((30.0..60.0).contains(&side), "{side} pixels");

    let picky = LandmarkerOptions { min_face_pixels: 80, ..close };
    assert!(plain.with_options(picky).unwrap().detect(&tiny).unwrap().is_empty());
    assert_eq!(plain.with_options(picky).unwrap().detect(&face).unwrap().len(), 1);

    // Eyes to chin fill the frame; forehead and ears lie outside.
    let [left, top, right, bottom] = plain.detect(&face).unwrap()[0].bbox;
    let size = [((right - left) * 640.0) as u32, ((bottom - top) * 288.0) as u32];
    let cut = window(&face, (left * 640.0) as i64, (top * 360.0) as i64 + i64::from(size[1] / 8), size);
    let huge = image::imageops::resize(&cut, 3 * size[0], 3 * size[1], image::imageops::FilterType::Triangle);
    for options in modes() {
        let faces = track(&plain, options, &[huge.clone(), huge.clone()]);
        assert!(faces.iter().all(|found| ids(found) == [0]), "{:?}", options.mode);
        assert!(faces[1][0].bbox[3] - faces[1][0].bbox[1] > 0.9);
    }
}

#[test]
fn a_stream_says_what_is_wrong_and_goes_on() {
    let Some(media) = media() else { return };
    let face = portrait(&media, 1);
    let mut stream = landmarker(&media).stream(&StreamOptions::default()).unwrap();
    stream.track(&face, STEP).unwrap();
    let error = stream.track(&face, STEP).unwrap_err().to_string();
    assert!(error.contains("40ms is not later than 40ms"), "{error}");
    assert!(stream.track(&Frame::new(0, 9), STEP * 2).unwrap_err().to_string().contains("0x9"));
    assert_eq!(ids(&stream.track(&face, STEP * 2).unwrap()), [0]);
    // Another size: the face is looked for anew.
    let larger = image::imageops::resize(&face, 960, 540, image::imageops::FilterType::Triangle);
    assert_eq!(stream.track(&larger, STEP * 3).unwrap().len(), 1);
    let wrong = StreamOptions { min_tracking_confidence: 2.0, ..StreamOptions::default() };
    assert!(landmarker(&media).stream(&wrong).is_err());
    assert!(landmarker(&media).with_options(LandmarkerOptions { max_faces: 0, ..Default::default() }).is_err());
}

#[test]
fn smoothing_takes_tremor_from_a_still_face_and_follows_a_moving_one() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    let smooth = StreamOptions { smoothing: Smoothing::OneEuro(OneEuro::MEDIAPIPE), ..StreamOptions::default() };
    assert_eq!(smooth.mode, TrackingMode::Video);
    // Noise of some grey levels, other in every frame.
    let still = middle(&media, 1);
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 24) as i32 * 17 / 256) - 8
    };
    let noisy: Vec<Frame> = (0..24)
        .map(|_| {
            let mut frame = still.clone();
            frame.iter_mut().for_each(|v| *v = (i32::from(*v) + noise()).clamp(0, 255) as u8);
            frame
        })
        .collect();
    let reader = VideoReader::open(media.join("driving/1.mp4"), &Limits::default()).unwrap();
    let moving: Vec<Frame> = reader.select((0..30).collect()).map(|frame| frame.unwrap().image).collect();

    // Root mean square step between frames, and distance between two tracks, in shares of the picture.
    let step = |track: &[Vec<Face>]| {
        let steps = track[8..].windows(2).flat_map(|w| w[0][0].landmarks.iter().zip(&w[1][0].landmarks));
        let squares: Vec<f32> = steps.map(|(a, b)| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).collect();
        (squares.iter().sum::<f32>() / squares.len() as f32).sqrt()
    };
    let [raw, smoothed] = [StreamOptions::default(), smooth].map(|options| track(&landmarker, options, &noisy));
    println!("still: {} without, {} with", step(&raw), step(&smoothed));
    assert!(step(&smoothed) < 0.35 * step(&raw));

    let [raw, smoothed] = [StreamOptions::default(), smooth].map(|options| track(&landmarker, options, &moving));
    // The lag is the share of a step by which the smoothed track stays behind.
    let (mut behind, mut moved) = (0.0, 0.0);
    for i in 8..moving.len() {
        for k in 0..478 {
            for axis in 0..2 {
                let velocity = raw[i][0].landmarks[k][axis] - raw[i - 1][0].landmarks[k][axis];
                behind += (raw[i][0].landmarks[k][axis] - smoothed[i][0].landmarks[k][axis]) * velocity;
                moved += velocity * velocity;
            }
        }
    }
    println!("moving: {} frames behind", behind / moved);
    assert!((0.0..0.6).contains(&(behind / moved)));
}
