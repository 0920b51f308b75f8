//! The path without any file: drawn portrait, made-up performance, guide clip.

use skyreels_core::{Frame, Progress};
use skyreels_landmarks::draw::Border;
use skyreels_landmarks::{
    ClipPlan, CropBox, FaceBox, GuideLayout, MeshRetargeter, PortraitFace, Retargeter, guide_clip, synthetic,
};

const CANVAS: [u32; 2] = [720, 480];

fn clip(seed: u64) -> (Frame, Vec<Frame>, CropBox) {
    let (picture, face) = synthetic::portrait(CANVAS[0], CANVAS[1], seed).unwrap();
    let crop = CropBox::around(&FaceBox::of_landmarks(&face, CANVAS), CANVAS).unwrap();
    let portrait = PortraitFace::in_crop(&face, CANVAS, &crop).unwrap();
    let motion = synthetic::performance(48, 12.0, seed).unwrap();
    let frames = MeshRetargeter::default().retarget(&portrait, &motion).unwrap();
    let plan = ClipPlan::fitted(motion.frames().len(), 49).unwrap();
    let layout = GuideLayout { canvas: CANVAS, crop, border: Border::Clip };
    (picture, guide_clip(&portrait, &frames, &plan, &layout, Progress::none()).unwrap(), crop)
}

#[test]
fn the_whole_path_runs_without_a_file() {
    let (picture, guide, crop) = clip(1);
    assert_eq!(guide.len(), 49);
    if let Ok(folder) = std::env::var("SKYREELS_LOOK") {
        picture.save(format!("{folder}/portrait.png")).unwrap();
        for (i, frame) in guide.iter().enumerate() {
            frame.save(format!("{folder}/guide_{i:02}.png")).unwrap();
        }
    }
    for frame in &guide {
        assert_eq!(frame.dimensions(), (720, 480));
        let inked = |(x, y, pixel): (u32, u32, &image::Rgb<u8>)| (pixel.0 != [0; 3]).then_some((x, y));
        let ink: Vec<(u32, u32)> = frame.enumerate_pixels().filter_map(inked).collect();
        assert!(ink.len() > 300, "{} pixels drawn", ink.len());
        let inside = |(x, y): &(u32, u32)| {
            (crop.x..crop.x + crop.width).contains(x) && (crop.y..crop.y + crop.height).contains(y)
        };
        assert!(ink.iter().all(inside));
    }
    assert!(guide.windows(2).skip(1).filter(|pair| pair[0] != pair[1]).count() > 40, "the face moves");
}

#[test]
fn a_seed_is_one_person_and_one_performance() {
    assert_eq!(clip(3).1, clip(3).1);
    assert_ne!(clip(3).0, clip(4).0);
    assert_ne!(synthetic::performance(9, 12.0, 1).unwrap(), synthetic::performance(9, 12.0, 2).unwrap());
}

#[test]
fn tiny_portraits_and_empty_performances_are_refused() {
    assert!(synthetic::portrait(8, 400, 1).is_err());
    assert!(synthetic::performance(0, 12.0, 1).is_err());
    assert!(synthetic::performance(5, f64::NAN, 1).is_err());
    assert!(synthetic::performance(5, 1e9, 1).is_err());
}
