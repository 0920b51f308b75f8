//! Overlays: what people look at. `SKYREELS_LOOK=FOLDER` keeps the pictures.

use std::time::Duration;

use skyreels_core::media::VideoReader;
use skyreels_core::{Frame, Limits};
use skyreels_landmarks::draw::Overlay;
use skyreels_landmarks::{LandmarkerOptions, StreamOptions, synthetic};

use crate::mediapipe_support::{landmarker, media, picture};

fn keep(picture: &Frame, name: &str) {
    if let Ok(folder) = std::env::var("SKYREELS_LOOK") {
        picture.save(format!("{folder}/{name}.png")).unwrap();
    }
}

#[test]
fn an_overlay_marks_the_face_and_leaves_the_rest() {
    let (picture, face) = synthetic::portrait(720, 480, 2).unwrap();
    let mut shown = picture.clone();
    Overlay { bbox: true, bars: false, ..Overlay::default() }.draw(&mut shown, &face);
    keep(&shown, "overlay");
    let changed = picture.enumerate_pixels().filter(|(x, y, pixel)| *pixel != shown.get_pixel(*x, *y));
    let changed: Vec<(u32, u32)> = changed.map(|(x, y, _)| (x, y)).collect();
    assert!(changed.len() > 1000);
    let [left, top, right, bottom] = face.bbox;
    let near = |(x, y): &(u32, u32)| {
        let (x, y) = (*x as f32 / 720.0, *y as f32 / 480.0);
        x > left - 0.05 && x < right + 0.05 && y > top - 0.05 && y < bottom + 0.05
    };
    assert!(changed.iter().all(near));
}

#[test]
fn strange_faces_and_tiny_pictures_never_panic() {
    let (_, mut face) = synthetic::portrait(720, 480, 2).unwrap();
    face.landmarks[5] = [f32::NAN; 3];
    face.landmarks[6] = [1e30, -1e30, 0.0];
    face.landmarks.truncate(300);
    face.bbox = [-9.0, f32::NAN, 1e30, 2.0];
    face.matrix[2][3] = 50.0;
    for size in [[1, 1], [3, 2000]] {
        let mut picture = Frame::new(size[0], size[1]);
        Overlay { bbox: true, ..Overlay::default() }.draw(&mut picture, &face);
    }
}

#[test]
fn a_bar_is_as_long_as_its_score_and_the_panel_keeps_off_the_face() {
    let (picture, mut face) = synthetic::portrait(720, 480, 2).unwrap();
    let panel = Overlay { points: false, contours: false, axes: false, bbox: false, bars: true };
    let bar = |picture: &Frame| picture.pixels().filter(|pixel| pixel.0 == [90, 200, 250]).count();
    let drawn = [0.0, 0.5, 1.0, f32::NAN].map(|score| {
        face.blendshapes = [0.0; 52];
        face.blendshapes[25] = score;
        let mut shown = picture.clone();
        panel.draw(&mut shown, &face);
        let changed = picture.enumerate_pixels().filter(|(x, y, pixel)| *pixel != shown.get_pixel(*x, *y));
        let covered = changed.filter(|(x, _, _)| (face.bbox[0]..face.bbox[2]).contains(&(*x as f32 / 720.0)));
        assert_eq!(covered.count(), 0, "the face is not covered");
        bar(&shown)
    });
    assert_eq!([drawn[0], drawn[3]], [0, 0]);
    assert_eq!(drawn[2], 2 * drawn[1]);
    assert!(drawn[2] > 100);
    let mut small = Frame::new(100, 100);
    panel.draw(&mut small, &face);
    assert_eq!(small, Frame::new(100, 100), "too small to be read");
}

#[test]
fn real_faces_are_shown_with_points_axes_and_bars() {
    let Some(media) = media() else { return };
    let options = LandmarkerOptions { second_look: true, ..LandmarkerOptions::default() };
    let landmarker = landmarker(&media).with_options(options).unwrap();
    let mut pictures: Vec<(String, Frame)> =
        [1, 3, 10].map(|n| (format!("portrait_{n}"), picture(&media.join(format!("portraits/{n}.png"))))).into();
    for (video, index) in [(1, 40), (3, 60)] {
        let reader = VideoReader::open(media.join(format!("driving/{video}.mp4")), &Limits::default()).unwrap();
        let frame = reader.select(vec![index]).next().unwrap().unwrap();
        pictures.push((format!("driving_{video}"), frame.image));
    }
    for (name, mut picture) in pictures {
        let untouched = picture.clone();
        let mut stream = landmarker.stream(&StreamOptions::default()).unwrap();
        let faces = stream.track(&picture, Duration::ZERO).unwrap();
        assert_eq!(faces.len(), 1, "{name}");
        faces.iter().for_each(|face| Overlay::default().draw(&mut picture, face));
        keep(&picture, &name);
        let changed = picture.pixels().zip(untouched.pixels()).filter(|(a, b)| a != b).count();
        assert!(changed > 5000, "{name}: {changed}");
    }
}
