//! Real faces: a video's own first frame as portrait must move like the video.

use std::path::{Path, PathBuf};
use std::time::Duration;

use skyreels_core::media::{FrameRate, VideoReader};
use skyreels_core::{Device, Limits};
use skyreels_landmarks::{
    Face, FaceBox, FaceFollower, FaceLandmarker, FacePick, LANDMARKS, MeshRetargeter, Motion, PortraitFace,
    RetargetedFrame, Retargeter, StreamOptions,
};

/// Largest mean error of a point, relative to the larger side of the face box.
const BAR: f64 = 0.015;
/// Frames of each video; every one costs a run of the tracker.
const FRAMES: usize = 24;

fn media() -> Option<PathBuf> {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media"));
    if media.is_dir() {
        return Some(media.to_path_buf());
    }
    println!("skipped: the reference media are not in {}", media.display());
    None
}

/// Mean distance of the points in pixels once place and size are set aside, which no retargeter carries over.
fn shape_error(moved: &RetargetedFrame, face: &Face, size: [u32; 2]) -> f64 {
    let pixels = |x: f64, y: f64| [x * f64::from(size[0]), y * f64::from(size[1])];
    let centered = |mut points: Vec<[f64; 2]>| {
        for axis in 0..2 {
            let mean = points.iter().map(|point| point[axis]).sum::<f64>() / LANDMARKS as f64;
            points.iter_mut().for_each(|point| point[axis] -= mean);
        }
        let spread = points.as_flattened().iter().map(|v| v * v).sum::<f64>().sqrt();
        (points, spread)
    };
    let (ours, our_spread) = centered(moved.points.iter().map(|[x, y, _]| pixels(*x, *y)).collect());
    let (truth, true_spread) =
        centered(face.landmarks.iter().map(|[x, y, _]| pixels(f64::from(*x), f64::from(*y))).collect());
    let scale = our_spread / true_spread;
    let distances = ours.iter().zip(&truth).map(|(a, b)| (a[0] - scale * b[0]).hypot(a[1] - scale * b[1]));
    distances.sum::<f64>() / LANDMARKS as f64
}

#[test]
fn a_video_drives_its_own_first_frame_within_the_bar() {
    let Some(media) = media() else { return };
    let task = media.join("models/face_landmarker_v2_with_blendshapes.task");
    let tracker = FaceLandmarker::open(&task, &Limits::default(), &Device::flex()).unwrap();
    for name in ["1", "3", "4", "7"] {
        let video = VideoReader::open(media.join(format!("driving/{name}.mp4")), &Limits::default()).unwrap();
        let size = [video.info().width, video.info().height];
        let mut stream = tracker.stream(&StreamOptions::image()).unwrap();
        let mut follower = FaceFollower::new(FacePick::Largest);
        let rate = FrameRate::new(12, 1).unwrap();
        let frames = video.sample(rate, FRAMES).zip(0..);
        let faces: Vec<Option<Face>> = frames
            .map(|(frame, i)| {
                let at = Duration::from_secs_f64(rate.time_of(i));
                follower.follow(stream.track(&frame.unwrap().image, at).unwrap())
            })
            .collect();
        let first = faces[0].clone().expect("every sample video begins with a face");
        let gathered = Motion::from_faces(faces.clone(), 12.0).unwrap();
        assert_eq!(gathered.motion.frames().len(), FRAMES);

        let portrait = PortraitFace::new(&first, size).unwrap();
        let moved = MeshRetargeter::default().retarget(&portrait, &gathered.motion).unwrap();
        let face_box = FaceBox::of_landmarks(&first, size);
        let side = f64::from((face_box.right - face_box.left).max(face_box.bottom - face_box.top));
        let errors: Vec<f64> = moved
            .iter()
            .zip(&faces)
            .filter_map(|(moved, face)| Some(shape_error(moved, face.as_ref()?, size) / side))
            .collect();
        assert!(errors[0] < 1e-9, "video {name}: the first frame is the portrait itself");
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        println!("video {name}: mean error {:.2} % of the face box, {:?}", 100.0 * mean, gathered.counts);
        assert!(mean < BAR, "video {name}: {mean}");
    }
}
