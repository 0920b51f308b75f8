//! FLAME's mesh, its embedded points, and the steps between.

use nalgebra::Matrix3;
use skyreels_core::golden::{Golden, Report, Tolerance, Values};

use crate::flame::{FanLandmarks, FlameConfig, FlameModel, HeadPose, JOINTS, Skinned};
use crate::{Error, Result};

/// Coefficients that the `short.*` answers were made with, unless the file says others: of shape and expression.
const SHORT: [usize; 2] = [120, 30];

/// Answers of a batch, gathered under their names.
#[derive(Default)]
struct Answers(Vec<(&'static str, Vec<usize>, Vec<f64>)>);

impl Answers {
    /// Adds one row; `shape` is that of the row.
    fn push(&mut self, name: &'static str, shape: &[usize], values: &[f64]) {
        let at = self.0.iter().position(|(other, ..)| *other == name).unwrap_or_else(|| {
            self.0.push((name, [&[0], shape].concat(), Vec::new()));
            self.0.len() - 1
        });
        let (_, shape, all) = &mut self.0[at];
        shape[0] += 1;
        all.extend_from_slice(values);
    }

    fn points(&mut self, name: &'static str, points: &[[f64; 3]]) {
        self.push(name, &[points.len(), 3], points.as_flattened());
    }

    fn head(&mut self, head: &Skinned) {
        self.points("stage.v_shaped", &head.shaped);
        self.points("stage.joints", &head.joints);
        self.points("stage.posed_joints", &head.posed_joints);
        // The rotations of the whole batch are one list.
        for rotation in &head.rotations {
            self.push("stage.rot_mats", &[3, 3], &row_major(rotation));
        }
        let transforms: Vec<f64> =
            head.transforms.iter().flat_map(|transform| transform.transpose().as_slice().to_vec()).collect();
        self.push("stage.rel_transforms", &[JOINTS, 4, 4], &transforms);
        self.points("vertices", &head.vertices);
    }

    fn fan(&mut self, fan: &FanLandmarks) {
        self.points("landmarks_fan", &fan.seen);
        self.points("landmarks_fan_3d", &fan.fixed);
        let triangles: Vec<f64> = fan.contour_triangles.iter().map(|index| *index as f64).collect();
        self.push("dynamic_faces_idx", &[triangles.len()], &triangles);
    }
}

fn row_major(matrix: &Matrix3<f64>) -> Vec<f64> {
    matrix.transpose().as_slice().to_vec()
}

pub(super) fn run(file: &Golden) -> Result<Report> {
    let config: FlameConfig = file.config("")?;
    let model = FlameModel::from_weights(&file.weights(""), config)?;
    let input = |name: &str, width: usize| -> Result<Vec<Vec<f64>>> { rows(file.input(name)?, name, width) };
    let (shapes, expressions) = (input("shape_params", config.n_shape)?, input("expression_params", config.n_exp)?);
    let (globals, necks, jaws) = (input("pose_params", 3)?, input("neck_pose_params", 3)?, input("jaw_params", 3)?);
    let (eyes, eyelids) = (input("eye_pose_params", 6)?, input("eyelid_params", 2)?);
    let batch = shapes.len();
    if [&expressions, &globals, &necks, &jaws, &eyes, &eyelids].iter().any(|rows| rows.len() != batch) {
        return Err(Error::invalid("golden file", "its inputs have batches of different sizes"));
    }
    let [short_shape, short_expression] = short(file).unwrap_or(SHORT);

    let mut answers = Answers::default();
    for i in 0..batch {
        let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
        let triple = |values: &[f64]| -> [f64; 3] { [values[0], values[1], values[2]] };
        let joints: HeadPose =
            [triple(&globals[i]), triple(&necks[i]), triple(&jaws[i]), triple(&eyes[i]), triple(&eyes[i][3..])];
        let lids = [eyelids[i][0] as f32, eyelids[i][1] as f32];
        let (shape, expression) = (single(&shapes[i]), single(&expressions[i]));
        let head = model.pose(&shape, &expression, &joints, lids)?;
        answers.head(&head);
        answers.points("landmarks_mp", &model.mediapipe_points(&head.vertices)?);
        if let Some(fan) = model.fan_landmarks(&head)? {
            answers.fan(&fan);
        }
        let straight = [joints[0], [0.0; 3], joints[2], [0.0; 3], [0.0; 3]];
        let (shape, expression) = (shape.get(..short_shape), expression.get(..short_expression));
        let head = model.pose(shape.unwrap_or(&[]), expression.unwrap_or(&[]), &straight, [0.0; 2])?;
        answers.points("short.vertices", &head.vertices);
        if let Some(fan) = model.fan_landmarks(&head)? {
            answers.points("short.landmarks_fan", &fan.seen);
        }
    }
    let mut report = Report::new(file);
    for (name, shape, values) in answers.0 {
        let tolerance = if name == "dynamic_faces_idx" { Tolerance::Exact } else { Tolerance::Reference };
        report.compare_values(file, name, &shape, &values, tolerance)?;
    }
    Ok(report.finish(file))
}

/// Rows of `width` numbers.
fn rows(values: Values, name: &str, width: usize) -> Result<Vec<Vec<f64>>> {
    match values.shape[..] {
        [_, found] if found == width => Ok(values.data.chunks(width.max(1)).map(<[f64]>::to_vec).collect()),
        _ => Err(Error::invalid("golden file", format!("`{name}` has shape {:?}, not [batch, {width}]", values.shape))),
    }
}

/// The two numbers of the file's note on its short answers.
fn short(file: &Golden) -> Option<[usize; 2]> {
    let note = file.field("short_note")?.as_str()?;
    let mut numbers = note.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    Some([numbers.next()?, numbers.next()?])
}
