//! Overlays: what people look at.

use skyreels_landmarks::draw::Overlay;
use skyreels_landmarks::synthetic;

#[test]
fn an_overlay_marks_the_face_and_leaves_the_rest() {
    let (picture, face) = synthetic::portrait(720, 480, 2).unwrap();
    let mut shown = picture.clone();
    Overlay { bbox: true, ..Overlay::default() }.draw(&mut shown, &face);
    if let Ok(folder) = std::env::var("SKYREELS_LOOK") {
        shown.save(format!("{folder}/overlay.png")).unwrap();
    }
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
        let mut picture = skyreels_core::Frame::new(size[0], size[1]);
        Overlay { bbox: true, ..Overlay::default() }.draw(&mut picture, &face);
    }
}
