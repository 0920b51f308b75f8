//! FLAME's way through the program: coefficients read from a video, a portrait moved by them. The models are untrained and
//! small, under the published keys.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels::core::checkpoint::save;
use skyreels::core::media::VideoReader;
use skyreels::core::resize::fit;
use skyreels::core::{Device, Frame, Limits};
use skyreels::landmarks::flame::MEDIAPIPE_POINTS;
use skyreels::landmarks::smirk::SmirkConfig;
use skyreels::landmarks::{FlameFrame, Motion, synthetic};

use crate::common::{accepted, face_model, refused, says, shared, write_video};

const JOINTS: usize = 5;
/// Rows and columns of the patch that stands for a face.
const GRID: usize = 12;

/// The converted files: an untrained SMIRK, and a patch of 144 vertices for FLAME's head.
fn models(place: &Path) -> &'static str {
    let device = Device::flex();
    save(&SmirkConfig::default().init(&device), place, "smirk", usize::MAX).unwrap();
    let vertices = GRID * GRID;
    let share = |i: usize| i as f32 / (GRID - 1) as f32 - 0.5;
    let template = (0..vertices).flat_map(|i| [0.2 * share(i % GRID), 0.2 * share(i / GRID), 0.0]).collect();
    let triangles: Vec<i64> = (0..vertices - GRID - 1).flat_map(|i| [i, i + 1, i + GRID].map(|v| v as i64)).collect();
    let faces = triangles.len() / 3;
    let points = MEDIAPIPE_POINTS.len();
    let zeros = |count: usize| vec![0.0; count];
    // Every expression coefficient pushes the patch sideways, so that it shows.
    let bases = (0..vertices * 3 * 350).map(|i| if i / 350 % 3 == 0 && i % 350 >= 300 { 0.01 } else { 0.0 }).collect();
    let mut skinning = zeros(vertices * JOINTS);
    skinning.chunks_mut(JOINTS).for_each(|row| row[0] = 1.0);
    let floats = |shape: &[usize], values: Vec<f32>| {
        (Dtype::F32, shape.to_vec(), values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>())
    };
    let integers = |shape: &[usize], values: Vec<i64>| {
        (Dtype::I64, shape.to_vec(), values.into_iter().flat_map(i64::to_le_bytes).collect::<Vec<u8>>())
    };
    let tables = BTreeMap::from([
        ("v_template", floats(&[vertices, 3], template)),
        ("shapedirs", floats(&[vertices, 3, 350], bases)),
        ("posedirs", floats(&[36, 3 * vertices], zeros(108 * vertices))),
        ("J_regressor", floats(&[JOINTS, vertices], vec![1.0 / vertices as f32; JOINTS * vertices])),
        ("lbs_weights", floats(&[vertices, JOINTS], skinning)),
        ("parents", integers(&[JOINTS], vec![-1, 0, 1, 1, 1])),
        ("faces_tensor", integers(&[faces, 3], triangles)),
        ("l_eyelid", floats(&[1, vertices, 3], zeros(3 * vertices))),
        ("r_eyelid", floats(&[1, vertices, 3], zeros(3 * vertices))),
        ("mp_lmk_faces_idx", integers(&[points], (0..points).map(|i| i as i64).collect())),
        ("mp_lmk_bary_coords", floats(&[points, 3], vec![1.0 / 3.0; 3 * points])),
    ]);
    let views = tables
        .iter()
        .map(|(key, (dtype, shape, bytes))| (*key, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &place.join("flame.safetensors")).unwrap();
    "--smirk {}/smirk.safetensors --flame {}/flame.safetensors"
}

/// A motion of ten frames that push the patch farther and farther.
fn motion(path: &Path) {
    let motion = synthetic::performance(10, 12.0, 1).unwrap();
    let flame = |i: usize| FlameFrame { expression: [i as f32 / 10.0; 50], ..FlameFrame::default() };
    motion.with_flame((0..10).map(|i| Some(flame(i))).collect()).unwrap().save(path).unwrap();
}

fn frames(path: &Path) -> Vec<Frame> {
    VideoReader::open(path, &Limits::default()).unwrap().map(|frame| frame.unwrap().image).collect()
}

#[test]
fn a_motion_with_coefficients_is_drawn_by_flame() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let files = models(place);
    motion(&place.join("m.safetensors"));
    let render = "motion render {}/m.safetensors --portrait drawn:2 --size 96x160 -o";
    accepted(place, &format!("{render} {{}}/flame.mp4 {files}"));
    accepted(place, &format!("{render} {{}}/mesh.mp4"));
    let (flame, mesh) = (frames(&place.join("flame.mp4")), frames(&place.join("mesh.mp4")));
    assert_eq!((flame.len(), mesh.len()), (10, 10));
    let lit = |frame: &Frame| frame.pixels().filter(|pixel| pixel.0.iter().any(|v| *v > 48)).count();
    assert!(lit(&flame[0]) > 0 && lit(&mesh[0]) > 4 * lit(&flame[0]), "the patch is not the mesh");
    assert_ne!(flame[0], flame[9], "the coefficients move it");

    // The same two files on the whole path.
    let animate = "animate --portrait drawn:2 --driving {}/m.safetensors --steps 1 --keep-intermediates {}/kept -o";
    accepted(place, &format!("{animate} {{}}/clip.mp4 {files}"));
    let guide = frames(&place.join("kept/guide.mp4"));
    // Frame 0 shows the portrait's own landmarks, whatever moves them afterwards.
    assert!(lit(&guide[0]) > 4 * lit(&guide[3]), "{} and {}", lit(&guide[0]), lit(&guide[3]));
}

#[test]
fn half_of_what_flame_needs_is_refused_with_the_rest_named() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    models(place);
    motion(&place.join("m.safetensors"));
    let render = "motion render {}/m.safetensors --portrait drawn:2 -o {}/out.mp4";
    says(&refused(place, &format!("{render} --smirk {{}}/smirk.safetensors")), &["--flame"]);
    says(&refused(place, &format!("{render} --flame {{}}/flame.safetensors")), &["--smirk"]);
    let swapped = "--smirk {}/flame.safetensors --flame {}/smirk.safetensors";
    says(&refused(place, &format!("{render} {swapped}")), &["smirk.safetensors"]);
    // A motion that was extracted without SMIRK.
    synthetic::performance(4, 12.0, 1).unwrap().save(place.join("m.safetensors")).unwrap();
    let files = "--smirk {}/smirk.safetensors --flame {}/flame.safetensors";
    says(&refused(place, &format!("{render} {files}")), &["no FLAME coefficients", "--smirk"]);
}

#[test]
fn coefficients_are_read_from_every_frame_of_a_video() {
    let (Some(model), Some(video)) = (face_model(), shared("media/driving/1.mp4")) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let files = models(place);
    let taken: Vec<Frame> = VideoReader::open(&video, &Limits::default())
        .unwrap()
        .take(4)
        .map(|frame| fit(&frame.unwrap().image, 360, 240).unwrap())
        .collect();
    write_video(&place.join("me.mp4"), &taken);
    accepted(
        place,
        &format!("motion extract {{}}/me.mp4 {model} --smirk {{}}/smirk.safetensors -o {{}}/m.safetensors"),
    );
    let extracted = Motion::open(place.join("m.safetensors"), &Limits::default()).unwrap();
    assert!(extracted.frames().iter().all(|frame| frame.flame.as_ref().is_some_and(|flame| flame.eyes.is_some())));
    assert!(extracted.flame_shape().is_none(), "who the driver is stays out of the file");
    // The other commands that track read the same.
    let outputs = "--motion {}/other.safetensors --guide {}/g.gif --size 96x160";
    accepted(place, &format!("landmarks {{}}/me.mp4 {model} {files} {outputs}"));
    assert_eq!(Motion::open(place.join("other.safetensors"), &Limits::default()).unwrap(), extracted);
    // Of the two ways to follow a face only one looks at every frame alone, and the filter moves points.
    let extract = format!("motion extract {{}}/me.mp4 {model} -o");
    accepted(place, &format!("{extract} {{}}/video.safetensors --tracking video"));
    accepted(place, &format!("{extract} {{}}/steady.safetensors --tracking video --steady one-euro"));
    let open = |name: &str| Motion::open(place.join(name), &Limits::default()).unwrap();
    assert_ne!(open("video.safetensors"), open("steady.safetensors"));
    says(&refused(place, &format!("{extract} {{}}/x.safetensors --min-face 4000")), &["no face"]);
    says(&refused(place, &format!("{extract} {{}}/x.safetensors --min-presence 2")), &["min_presence_confidence"]);
}
