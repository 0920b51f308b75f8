//! The mesh retargeter beside FLAME's, where both can move the same head: a model of FLAME's kind whose vertices are the
//! portrait's own head points and whose expressions are the displacements of the motion, frame by frame.

use std::path::Path;
use std::time::Duration;

use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::checkpoint::Weights;
use skyreels_core::media::{FrameRate, VideoReader};
use skyreels_core::{Device, Limits};
use skyreels_landmarks::flame::{EyePoints, FaceCoefficients, FlameConfig, FlameModel, JOINTS, MEDIAPIPE_POINTS};
use skyreels_landmarks::smirk::FaceSquare;
use skyreels_landmarks::{
    CropBox, Face, FaceBox, FaceFollower, FaceLandmarker, FacePick, FlamePortrait, FlameRetargeter, LANDMARKS,
    MeshRetargeter, Motion, MotionFrame, PortraitFace, RetargetedFrame, Retargeter, StreamOptions, synthetic,
};

/// Frames of each motion: one expression coefficient each, of which FLAME has 50.
const FRAMES: usize = 24;
/// Head points and, as the last vertex, the point about which the head turns.
const VERTICES: usize = LANDMARKS + 1;
/// Half of the square that the camera without perspective sees, in pixels of SMIRK's crop.
const HALF_CROP: f64 = 112.0;

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

fn integers(values: impl IntoIterator<Item = usize>) -> Vec<u8> {
    values.into_iter().flat_map(|v| (v as i64).to_le_bytes()).collect()
}

/// A model whose coefficient `k` is the expression of frame `k`.
fn model(face: &Face, motion: &Motion, place: &Path) -> FlameModel {
    let count = motion.frames().len();
    let template = face.head_points.iter().flatten().copied().chain([0.0; 3]);
    let displacement =
        |vertex: usize, axis: usize, frame: &MotionFrame| frame.expression.get(vertex).map_or(0.0, |moved| moved[axis]);
    let bases = (0..VERTICES).flat_map(|vertex| {
        (0..3).flat_map(move |axis| {
            // The one coefficient of shape does nothing.
            std::iter::once(0.0).chain(motion.frames().iter().map(move |frame| displacement(vertex, axis, frame)))
        })
    });
    let pivot = (0..JOINTS).flat_map(|_| (0..VERTICES).map(|vertex| f32::from(u8::from(vertex == LANDMARKS))));
    let whole_head = (0..VERTICES).flat_map(|_| [1.0, 0.0, 0.0, 0.0, 0.0]);
    let points = MEDIAPIPE_POINTS.len();
    let triangles = MEDIAPIPE_POINTS.iter().flat_map(|point| [*point; 3]);
    let parents = [-1i64, 0, 1, 1, 1].into_iter().flat_map(i64::to_le_bytes).collect();
    let zeros = |count: usize| floats(vec![0.0; count]);
    let tables: [(&str, Dtype, Vec<usize>, Vec<u8>); 11] = [
        ("v_template", Dtype::F32, vec![VERTICES, 3], floats(template)),
        ("shapedirs", Dtype::F32, vec![VERTICES, 3, 1 + count], floats(bases)),
        ("posedirs", Dtype::F32, vec![36, 3 * VERTICES], zeros(108 * VERTICES)),
        ("J_regressor", Dtype::F32, vec![JOINTS, VERTICES], floats(pivot)),
        ("lbs_weights", Dtype::F32, vec![VERTICES, JOINTS], floats(whole_head)),
        ("parents", Dtype::I64, vec![JOINTS], parents),
        ("faces_tensor", Dtype::I64, vec![points, 3], integers(triangles)),
        ("l_eyelid", Dtype::F32, vec![1, VERTICES, 3], zeros(3 * VERTICES)),
        ("r_eyelid", Dtype::F32, vec![1, VERTICES, 3], zeros(3 * VERTICES)),
        ("mp_lmk_faces_idx", Dtype::I64, vec![points], integers(0..points)),
        ("mp_lmk_bary_coords", Dtype::F32, vec![points, 3], floats((0..points).flat_map(|_| [1.0, 0.0, 0.0]))),
    ];
    let views =
        tables.iter().map(|(key, dtype, shape, bytes)| (*key, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let path = place.join("flame.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let config = FlameConfig { n_shape: 1, n_exp: count };
    FlameModel::from_weights(&Weights::open(path, &Limits::default()).unwrap(), config).unwrap()
}

fn rotation(wxyz: [f32; 4]) -> UnitQuaternion<f64> {
    let [w, x, y, z] = wxyz.map(f64::from);
    UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z))
}

/// Scale and shifts with which a camera without perspective sees the turned head where the tracker saw it: least squares.
fn camera(head: &[Vector3<f64>], seen: &[[f64; 2]]) -> [f32; 3] {
    let count = head.len() as f64;
    let mean = |values: &dyn Fn(usize) -> f64| (0..head.len()).map(values).sum::<f64>() / count;
    let (x, y) = (mean(&|i| head[i].x), mean(&|i| head[i].y));
    // The picture's y points down, the head's up.
    let (u, v) = (mean(&|i| seen[i][0]), mean(&|i| -seen[i][1]));
    let along = mean(&|i| (head[i].x - x) * (seen[i][0] - u) + (head[i].y - y) * (-seen[i][1] - v));
    let scale = along / mean(&|i| (head[i].x - x).powi(2) + (head[i].y - y).powi(2));
    [scale, u / scale - x, v / scale - y].map(|value| value as f32)
}

/// How far apart the two retargeters see the portrait at rest, as a mean share of its face box, and how far apart they
/// move its points from there, on average. At rest only the cameras differ: FLAME's knows no perspective.
fn difference(face: &Face, size: [u32; 2], motion: &Motion) -> [f64; 2] {
    let pixel = |[x, y]: [f64; 2]| [x * f64::from(size[0]), y * f64::from(size[1])];
    let points: Vec<[f64; 2]> = face.landmarks.iter().map(|[x, y, _]| pixel([f64::from(*x), f64::from(*y)])).collect();
    let square = FaceSquare::around(points.iter().copied()).unwrap();
    let [[scale, _, left], [_, _, top]] = square.to_crop();
    let seen: Vec<[f64; 2]> =
        points.iter().map(|[x, y]| [scale * x + left, scale * y + top].map(|v| v / HALF_CROP - 1.0)).collect();
    let matrix = nalgebra::Matrix3::from_fn(|row, column| f64::from(face.matrix[row][column]));
    let own = UnitQuaternion::from_matrix(&matrix);
    let turned: Vec<Vector3<f64>> =
        face.head_points.iter().map(|point| own * Vector3::from(point.map(f64::from))).collect();
    let coefficients = |turn: &UnitQuaternion<f64>, expression: Vec<f32>| FaceCoefficients {
        rotation: turn.scaled_axis().map(|v| v as f32).into(),
        camera: camera(&turned, &seen),
        expression,
        eyes: EyePoints::of(&points),
        ..FaceCoefficients::default()
    };
    let driver: Vec<FaceCoefficients> = (0..)
        .zip(motion.frames())
        .map(|(k, frame)| {
            let only_this = (0..motion.frames().len()).map(|other| f32::from(u8::from(other == k))).collect();
            coefficients(&rotation(frame.rotation), only_this)
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let model = model(face, motion, directory.path());
    let crop = CropBox { x: 0, y: 0, width: size[0], height: size[1] };
    let portrait = FlamePortrait { coefficients: coefficients(&own, Vec::new()), square, crop };
    let by_flame = FlameRetargeter::new(&model).follow(&portrait, &driver[0], &driver).unwrap();

    let portrait = PortraitFace::new(face, size).unwrap();
    let by_mesh = MeshRetargeter::default().retarget(&portrait, motion).unwrap();
    let bounds = FaceBox::of_landmarks(face, size);
    let side = f64::from((bounds.right - bounds.left).max(bounds.bottom - bounds.top));
    let place = |frame: &RetargetedFrame, index: usize| pixel([frame.points[index][0], frame.points[index][1]]);
    let apart = |k: usize, index: usize| {
        let (mesh, flame) = (place(&by_mesh[k], index), place(&by_flame[k], index));
        [0, 1].map(|axis| (mesh[axis] - flame[axis]) / side)
    };
    let mean = |distances: Vec<f64>| distances.iter().sum::<f64>() / distances.len() as f64;
    let rest = MEDIAPIPE_POINTS.iter().map(|index| apart(0, *index)).map(|[x, y]| x.hypot(y)).collect();
    let moves = (0..by_mesh.len()).flat_map(|k| MEDIAPIPE_POINTS.map(|index| (apart(k, index), apart(0, index))));
    let moves = moves.map(|(now, rest)| (now[0] - rest[0]).hypot(now[1] - rest[1])).collect();
    [mean(rest), mean(moves)]
}

#[test]
fn both_retargeters_move_a_drawn_head_to_the_same_places() {
    let size = [480, 480];
    let (_, face) = synthetic::portrait(size[0], size[1], 4).unwrap();
    let motion = synthetic::performance(FRAMES, 12.0, 2).unwrap();
    let [rest, moves] = difference(&face, size, &motion).map(|share| 100.0 * share);
    println!("drawn head: {rest:.2} % of the face box apart at rest, {moves:.2} % in how they move");
    assert!(rest < 2.0 && moves < 1.0, "{rest} {moves}");
}

#[test]
fn both_retargeters_move_real_faces_to_the_same_places() {
    let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/media"));
    if !media.is_dir() {
        return println!("skipped: the reference media are not in {}", media.display());
    }
    let task = media.join("models/face_landmarker_v2_with_blendshapes.task");
    let tracker = FaceLandmarker::open(&task, &Limits::default(), &Device::flex()).unwrap();
    for name in ["1", "3", "4", "7"] {
        let video = VideoReader::open(media.join(format!("driving/{name}.mp4")), &Limits::default()).unwrap();
        let size = [video.info().width, video.info().height];
        let mut stream = tracker.stream(&StreamOptions::image()).unwrap();
        let mut follower = FaceFollower::new(FacePick::Largest);
        let rate = FrameRate::new(12, 1).unwrap();
        let faces: Vec<Option<Face>> = (0..)
            .zip(video.sample(rate, FRAMES))
            .map(|(i, frame)| {
                let at = Duration::from_secs_f64(rate.time_of(i));
                follower.follow(stream.track(&frame.unwrap().image, at).unwrap())
            })
            .collect();
        let first = faces[0].clone().expect("every sample video begins with a face");
        let motion = Motion::from_faces(faces, 12.0).unwrap().motion;
        let [rest, moves] = difference(&first, size, &motion).map(|share| 100.0 * share);
        println!("video {name}: {rest:.2} % of the face box apart at rest, {moves:.2} % in how they move");
        assert!(rest < 3.0 && moves < 1.5, "video {name}: {rest} {moves}");
    }
}
