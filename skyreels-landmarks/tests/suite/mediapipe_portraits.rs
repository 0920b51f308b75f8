//! Pictures: the same faces as MediaPipe finds, and the one it misses.

use skyreels_landmarks::{BLENDSHAPE_NAMES, LandmarkerOptions};

use crate::mediapipe_support::{Difference, Expected, landmarker, media, picture};

const PORTRAITS: [u32; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 10];

#[test]
fn every_portrait_gets_mediapipes_answer_at_both_confidences() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    for portrait in PORTRAITS {
        let frame = picture(&media.join(format!("portraits/{portrait}.png")));
        let mut worst = Difference::default();
        for confidence in [0.1, 0.5] {
            let options = LandmarkerOptions {
                min_detection_confidence: confidence,
                min_presence_confidence: confidence,
                ..LandmarkerOptions::default()
            };
            let faces = landmarker.with_options(options).unwrap().detect(&frame).unwrap();
            let name = format!("portrait_{portrait}.safetensors");
            let expected = Expected::read(&media, &name, &format!("conf{confidence}"));
            let what = format!("portrait {portrait} at confidence {confidence}");
            worst = worst.worst(expected.check(0, &faces, &frame, &what));
        }
        println!("portrait {portrait}: {worst:?}");
    }
}

#[test]
fn the_face_that_the_whole_picture_hides_is_found_by_a_second_look() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    let frame = picture(&media.join("portraits/3.png"));
    assert!(landmarker.detect(&frame).unwrap().is_empty());

    let options = LandmarkerOptions { second_look: true, ..LandmarkerOptions::default() };
    let faces = landmarker.with_options(options).unwrap().detect(&frame).unwrap();
    let [face] = &faces[..] else { panic!("{} faces", faces.len()) };
    assert!(face.presence > 0.5, "presence {}", face.presence);
    println!("found at {:?}, presence {}, score {}", face.bbox, face.presence, face.score);
    assert!(face.landmarks.iter().all(|p| (0.0..1.0).contains(&p[0]) && (0.0..1.0).contains(&p[1])));
}

#[test]
fn a_second_look_changes_nothing_where_the_first_one_finds_a_face() {
    let Some(media) = media() else { return };
    let landmarker = landmarker(&media);
    let frame = picture(&media.join("portraits/1.png"));
    let options = LandmarkerOptions { second_look: true, ..LandmarkerOptions::default() };
    assert_eq!(landmarker.detect(&frame).unwrap(), landmarker.with_options(options).unwrap().detect(&frame).unwrap());
}

#[test]
fn a_picture_without_a_face_has_no_face_even_at_a_second_look() {
    let Some(media) = media() else { return };
    let options = LandmarkerOptions { second_look: true, ..LandmarkerOptions::default() };
    let landmarker = landmarker(&media).with_options(options).unwrap();
    for (width, height) in [(1, 1), (640, 360), (2000, 3)] {
        let frame = skyreels_core::Frame::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
        assert!(landmarker.detect(&frame).unwrap().is_empty());
    }
    assert!(landmarker.detect(&skyreels_core::Frame::new(0, 5)).is_err());
}

#[test]
fn the_matrix_takes_head_points_back_to_the_landmarks() {
    let Some(media) = media() else { return };
    let frame = picture(&media.join("portraits/1.png"));
    let face = landmarker(&media).detect(&frame).unwrap().remove(0);
    assert_eq!(face.head_points.len(), face.landmarks.len());
    let plane_height = 2.0 * 31.5f32.to_radians().tan();
    for (head, landmark) in face.head_points.iter().zip(&face.landmarks) {
        let [x, y, z] =
            [0, 1, 2].map(|row| face.matrix[row][3] + (0..3).map(|k| face.matrix[row][k] * head[k]).sum::<f32>());
        let screen = [x / -z / plane_height * frame.height() as f32, -y / -z / plane_height * frame.height() as f32];
        let [u, v] = [screen[0] + 0.5 * frame.width() as f32, screen[1] + 0.5 * frame.height() as f32];
        let (du, dv) = (u - landmark[0] * frame.width() as f32, v - landmark[1] * frame.height() as f32);
        assert!(du.hypot(dv) < 0.05, "{du} {dv}");
    }
    assert!((face.scale() - 1.0).abs() < 0.2, "scale {}", face.scale());
    // The iris points lie between the eyelids of the head, not somewhere else.
    assert!(face.head_points[468..].iter().all(|p| p.iter().all(|v| v.abs() < 10.0)));
}

#[test]
fn scores_are_named_in_mediapipes_order() {
    let Some(media) = media() else { return };
    let names = std::fs::read_to_string(media.join("expected/blendshape_names.json")).unwrap();
    let names: Vec<String> = serde_json::from_str(&names).unwrap();
    assert_eq!(names, BLENDSHAPE_NAMES);
}
