//! FLAME and its retargeter on a small model made by code.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use skyreels_core::Limits;
use skyreels_core::checkpoint::Weights;
use skyreels_landmarks::flame::{
    EyePoints, FaceCoefficients, FlameConfig, FlameModel, JOINTS, MEDIAPIPE_POINTS, rotation_matrix,
};
use skyreels_landmarks::smirk::FaceSquare;
use skyreels_landmarks::{
    CropBox, Error, FLAME_EXPRESSION, FlameFrame, FlamePortrait, FlameRetargeter, LANDMARKS, Retargeter, synthetic,
};

const VERTICES: usize = 40;
const TRIANGLES: usize = 60;
const CONFIG: FlameConfig = FlameConfig { n_shape: 4, n_exp: 3 };

type Tables = BTreeMap<&'static str, (Dtype, Vec<usize>, Vec<u8>)>;

/// Numbers in -1..1 that look random and are the same every time.
fn numbers(salt: u64, count: usize) -> Vec<f32> {
    let mut state = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn floats(shape: &[usize], values: Vec<f32>) -> (Dtype, Vec<usize>, Vec<u8>) {
    assert_eq!(values.len(), shape.iter().product::<usize>());
    (Dtype::F32, shape.to_vec(), values.into_iter().flat_map(f32::to_le_bytes).collect())
}

fn integers(shape: &[usize], values: Vec<i64>) -> (Dtype, Vec<usize>, Vec<u8>) {
    assert_eq!(values.len(), shape.iter().product::<usize>());
    (Dtype::I64, shape.to_vec(), values.into_iter().flat_map(i64::to_le_bytes).collect())
}

/// A model of the right shape: a bumpy patch in front of the joints.
fn tables() -> Tables {
    let scaled = |salt: u64, count: usize, by: f32| numbers(salt, count).into_iter().map(|v| v * by).collect();
    let shares = |rows: usize, width: usize| -> Vec<f32> {
        let rows = numbers(7, rows * width)
            .chunks(width)
            .map(|row| row.iter().map(|v| v + 1.1).collect::<Vec<_>>())
            .collect::<Vec<_>>();
        rows.iter().flat_map(|row| row.iter().map(|v| v / row.iter().sum::<f32>()).collect::<Vec<_>>()).collect()
    };
    let corners = (0..TRIANGLES as i64).flat_map(|i| [i * 7 % 40, (i * 11 + 3) % 40, (i * 13 + 9) % 40]).collect();
    let points = MEDIAPIPE_POINTS.len();
    BTreeMap::from([
        ("v_template", floats(&[VERTICES, 3], scaled(1, 3 * VERTICES, 0.1))),
        ("shapedirs", floats(&[VERTICES, 3, 7], scaled(2, 21 * VERTICES, 0.01))),
        ("posedirs", floats(&[36, 3 * VERTICES], scaled(3, 108 * VERTICES, 0.002))),
        ("J_regressor", floats(&[JOINTS, VERTICES], shares(JOINTS, VERTICES))),
        ("lbs_weights", floats(&[VERTICES, JOINTS], shares(VERTICES, JOINTS))),
        ("parents", integers(&[JOINTS], vec![-1, 0, 1, 1, 1])),
        ("faces_tensor", integers(&[TRIANGLES, 3], corners)),
        ("l_eyelid", floats(&[1, VERTICES, 3], scaled(4, 3 * VERTICES, 0.01))),
        ("r_eyelid", floats(&[1, VERTICES, 3], scaled(5, 3 * VERTICES, 0.01))),
        ("mp_lmk_faces_idx", integers(&[points], (0..points as i64).map(|i| i * 17 % 60).collect())),
        ("mp_lmk_bary_coords", floats(&[points, 3], shares(points, 3))),
    ])
}

fn opened(tables: &Tables, path: &Path) -> Weights {
    let views = tables
        .iter()
        .map(|(key, (dtype, shape, bytes))| (*key, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize_to_file(views, None, path).unwrap();
    Weights::open(path, &Limits::default()).unwrap()
}

fn model_of(tables: &Tables) -> Result<FlameModel, Error> {
    let directory = tempfile::tempdir().unwrap();
    FlameModel::from_weights(&opened(tables, &directory.path().join("flame.safetensors")), CONFIG)
}

fn model() -> FlameModel {
    model_of(&tables()).unwrap()
}

fn face(rotation: [f32; 3]) -> FaceCoefficients {
    let points: Vec<[f64; 2]> = numbers(9, 2 * LANDMARKS)
        .chunks(2)
        .map(|p| [100.0 + 50.0 * f64::from(p[0]), 100.0 + 50.0 * f64::from(p[1])])
        .collect();
    FaceCoefficients {
        rotation,
        camera: [8.0, 0.01, -0.02],
        shape: vec![0.5, -1.0, 0.2, 0.1],
        expression: vec![0.3, -0.2, 0.1],
        jaw: [0.1, 0.02, -0.03],
        eyelids: [0.2, 0.4],
        eye_pose: [0.1; 6],
        eyes: EyePoints::of(&points),
    }
}

fn portrait() -> FlamePortrait {
    FlamePortrait {
        coefficients: face([0.1, -0.2, 0.05]),
        square: FaceSquare::around([[40.0, 30.0], [140.0, 150.0]]).unwrap(),
        crop: CropBox { x: 10, y: 20, width: 160, height: 150 },
    }
}

#[test]
fn a_driver_in_the_pose_of_the_portrait_gives_the_portrait_with_its_expression() {
    let (model, portrait) = (model(), portrait());
    let driver = FaceCoefficients { expression: vec![0.9, 0.1, -0.4], ..portrait.coefficients.clone() };
    let frames = FlameRetargeter::new(&model).follow(&portrait, &driver, &vec![driver.clone(); 3]).unwrap();
    assert_eq!(frames.len(), 3);
    let head = model.head(&driver).unwrap();
    let points = model.mediapipe_points(&head.vertices).unwrap();
    let ([[s, _, left], [_, _, top]], [scale, right, up]) =
        (portrait.square.to_picture(), driver.camera.map(f64::from));
    for (index, [x, y, _]) in MEDIAPIPE_POINTS.into_iter().zip(points) {
        let px = [(x + right) * scale, -(y + up) * scale].map(|v| (v + 1.0) * 112.0 * s);
        let expected = [(px[0] + left - 10.0) / 160.0, (px[1] + top - 20.0) / 150.0];
        for frame in &frames {
            assert!(
                (frame.points[index][0] - expected[0]).abs() < 1e-5
                    && (frame.points[index][1] - expected[1]).abs() < 1e-5
            );
        }
    }
}

#[test]
fn only_the_embedded_points_have_a_place() {
    let (model, portrait) = (model(), portrait());
    let frame = FlameRetargeter::new(&model).follow(&portrait, &face([0.0; 3]), &[face([0.0; 3])]).unwrap().remove(0);
    assert_eq!(frame.points.len(), LANDMARKS);
    for (index, point) in frame.points.iter().enumerate() {
        assert_eq!(point.iter().all(|v| v.is_finite()), MEDIAPIPE_POINTS.contains(&index), "{index}");
    }
    assert!(frame.pupils.iter().all(Option::is_some));
}

#[test]
fn place_size_and_identity_of_the_driver_do_not_count() {
    let (model, portrait) = (model(), portrait());
    let retargeter = FlameRetargeter::new(&model);
    let driver = [face([0.3, 0.0, 0.0]), face([0.1, 0.4, 0.0])];
    let other = driver.clone().map(|face| FaceCoefficients { camera: [3.0, 0.5, 0.5], shape: Vec::new(), ..face });
    // Points without a place are not equal to themselves.
    let shown =
        |driver: &[FaceCoefficients]| format!("{:?}", retargeter.follow(&portrait, &driver[0], driver).unwrap());
    assert_eq!(shown(&driver), shown(&other));
}

#[test]
fn eyes_that_are_closed_or_not_known_do_not_stop_the_drawing() {
    let (model, portrait) = (model(), portrait());
    let retargeter = FlameRetargeter::new(&model);
    let mut flat = face([0.0; 3]);
    let eyes = flat.eyes.as_mut().unwrap();
    // Every point of the contour on one line: no affine map, but two corners.
    for eye in eyes.iter_mut() {
        for (index, point) in eye.contour.iter_mut().enumerate() {
            *point = [10.0 + index as f32, 20.0];
        }
        eye.iris = [18.0, 20.0];
    }
    let unknown = FaceCoefficients { eyes: None, ..flat.clone() };
    let frames = retargeter.follow(&portrait, &face([0.0; 3]), &[flat, unknown]).unwrap();
    assert!(frames[0].pupils.iter().all(|pupil| pupil.is_some_and(|p| p.iter().all(|v| v.is_finite()))));
    assert_eq!(frames[1].pupils, [None, None]);
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let (model, portrait) = (model(), portrait());
    let retargeter = FlameRetargeter::new(&model);
    let too_many = FaceCoefficients { expression: vec![0.0; 51], ..face([0.0; 3]) };
    assert!(retargeter.follow(&portrait, &face([0.0; 3]), &[too_many]).unwrap_err().to_string().contains("expression"));
    let nan = retargeter.follow(&portrait, &face([0.0; 3]), &[face([0.0; 3]), face([f32::NAN, 0.0, 0.0])]);
    assert!(nan.unwrap_err().to_string().contains("frame 1"));
    let unsmooth = FlameRetargeter { smoothing: 0.0, ..retargeter };
    assert!(unsmooth.follow(&portrait, &face([0.0; 3]), &[face([0.0; 3])]).is_err());
    let empty = FlamePortrait { crop: CropBox { x: 0, y: 0, width: 0, height: 5 }, ..portrait.clone() };
    assert!(retargeter.follow(&empty, &face([0.0; 3]), &[face([0.0; 3])]).is_err());
    assert!(retargeter.follow(&portrait, &face([0.0; 3]), &[]).unwrap().is_empty());
}

#[test]
fn a_file_that_is_no_model_is_refused_with_every_reason() {
    let mut missing = tables();
    missing.remove("posedirs");
    missing.insert("surprise", floats(&[1], vec![0.0]));
    missing.insert("l_eyelid", floats(&[VERTICES, 3], vec![0.0; 3 * VERTICES]));
    let text = model_of(&missing).unwrap_err().to_string();
    for word in ["posedirs", "surprise", "l_eyelid"] {
        assert!(text.contains(word), "{text}");
    }
    for (key, value) in [
        ("parents", integers(&[JOINTS], vec![-1, 0, 3, 1, 1])),
        ("faces_tensor", integers(&[TRIANGLES, 3], vec![40; 3 * TRIANGLES])),
        ("mp_lmk_faces_idx", integers(&[105], vec![-1; 105])),
        ("v_template", floats(&[VERTICES, 3], vec![f32::NAN; 3 * VERTICES])),
        ("lbs_weights", integers(&[VERTICES, JOINTS], vec![1; JOINTS * VERTICES])),
    ] {
        let mut bad = tables();
        bad.insert(key, value);
        let text = model_of(&bad).unwrap_err().to_string();
        assert!(text.contains(key), "{key}: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn turning_the_whole_head_turns_every_vertex_about_the_first_joint(
        rotation in prop::array::uniform3(-1.0f32..1.0), jaw in -0.5f32..0.5,
    ) {
        let model = model();
        let still = FaceCoefficients { jaw: [jaw, 0.0, 0.0], ..face([0.0; 3]) };
        let turned = FaceCoefficients { rotation, ..still.clone() };
        let (still, turned) = (model.head(&still).unwrap(), model.head(&turned).unwrap());
        let matrix = rotation_matrix(&rotation.map(f64::from).into());
        let root = nalgebra::Vector3::from(still.joints[0]);
        for (rest, now) in still.vertices.iter().zip(&turned.vertices) {
            // Eyelids are added after the head has turned, as in the original.
            let lids = 0.02;
            let expected = matrix * (nalgebra::Vector3::from(*rest) - root) + root;
            prop_assert!((expected - nalgebra::Vector3::from(*now)).norm() < lids);
        }
    }

    #[test]
    fn eyeballs_and_eyelids_move_nothing_else(share in 0.0f32..1.0) {
        let model = model();
        let open = FaceCoefficients { eyelids: [0.0; 2], ..face([0.2, 0.1, 0.0]) };
        let closed = FaceCoefficients { eyelids: [share, 0.0], ..open.clone() };
        let (open, closed) = (model.head(&open).unwrap(), model.head(&closed).unwrap());
        prop_assert_eq!(&open.shaped, &closed.shaped);
        let moved = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|k| (a[k] - b[k]).abs()).fold(0.0, f64::max);
        let most = open.vertices.iter().zip(&closed.vertices).map(|(a, b)| moved(a, b)).fold(0.0, f64::max);
        prop_assert!(most <= f64::from(share) * 0.0101);
    }
}

#[test]
fn a_motion_with_coefficients_moves_a_portrait_as_the_coefficients_do() {
    // As many coefficients as SMIRK's FLAME has, so that a motion holds them all.
    let mut tables = tables();
    tables
        .insert("shapedirs", floats(&[VERTICES, 3, 54], numbers(2, 162 * VERTICES).iter().map(|v| v * 0.01).collect()));
    let directory = tempfile::tempdir().unwrap();
    let weights = opened(&tables, &directory.path().join("flame.safetensors"));
    let model = FlameModel::from_weights(&weights, FlameConfig { n_shape: 4, n_exp: FLAME_EXPRESSION }).unwrap();
    let (portrait, retargeter) = (portrait(), FlameRetargeter::new(&model));

    let calm = synthetic::performance(4, 12.0, 1).unwrap();
    assert!(retargeter.retarget(&portrait, &calm).unwrap_err().to_string().contains("FLAME"));
    let driver: Vec<_> = (0..4).map(|i| face([0.1 * i as f32, 0.2, -0.05 * i as f32])).collect();
    let driver: Vec<FlameFrame> = driver.iter().map(FlameFrame::from).collect();
    let motion = calm.with_flame(driver.iter().cloned().map(Some).collect()).unwrap();
    let driver: Vec<FaceCoefficients> = driver.iter().map(FaceCoefficients::from).collect();
    assert!(driver.iter().all(|face| face.shape.is_empty()));
    // Points without a place are not equal to themselves.
    let shown = |frames: Vec<skyreels_landmarks::RetargetedFrame>| format!("{frames:?}");
    let by_motion = shown(retargeter.retarget(&portrait, &motion).unwrap());
    assert_eq!(by_motion, shown(retargeter.follow(&portrait, &driver[0], &driver).unwrap()));
    // A motion whose rest is its third frame shows the portrait's own pose there.
    let rested = motion.clone().with_rest(motion.frames()[2].clone()).unwrap();
    let by_rest = shown(retargeter.retarget(&portrait, &rested).unwrap());
    assert_eq!(by_rest, shown(retargeter.follow(&portrait, &driver[2], &driver).unwrap()));
    assert_ne!(by_rest, by_motion);
}
