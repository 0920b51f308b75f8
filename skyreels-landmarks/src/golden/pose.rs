//! Rotations, projection, normals and the tables from expression scores.

use nalgebra::{Matrix3, Vector3};
use skyreels_core::golden::{Golden, Report, Tolerance};

use crate::flame::{by_blendshapes, flame_rotation_matrix, rotation_matrix, rotation_vector, smooth, vertex_normals};
use crate::retarget::flame::relative;
use crate::retarget::orthographic::OrthographicCamera;
use crate::{BLENDSHAPES, Error, Result, SMOOTHING};

/// Formulas in f64 as in the original; what is ill-conditioned near half a turn is so in both.
const FORMULA: Tolerance = Tolerance::Relative(1e-7);

pub(super) fn run(file: &Golden) -> Result<Report> {
    let mut report = Report::new(file);
    if file.has_input("rotvec") {
        let vectors = triples(file, "rotvec")?;
        let matrices: Vec<_> = vectors.iter().map(rotation_matrix).collect();
        compare_matrices(file, &mut report, "rodrigues_to_matrix", &matrices)?;
        let back: Vec<_> = matrices.iter().map(rotation_vector).collect();
        compare_vectors(file, &mut report, "matrix_to_rodrigues", &back)?;
        let flame: Vec<_> = vectors.iter().map(flame_rotation_matrix).collect();
        compare_matrices(file, &mut report, "flame_batch_rodrigues", &flame)?;
    }
    if file.has_input("exact_matrices") {
        let matrices = file.input("exact_matrices")?.data;
        let matrices = matrices.as_chunks::<9>().0.iter().map(|m| Matrix3::from_row_slice(m));
        let vectors: Vec<_> = matrices.map(|matrix| rotation_vector(&matrix)).collect();
        compare_vectors(file, &mut report, "matrix_to_rodrigues_exact", &vectors)?;
    }
    if file.has_input("retarget_driving_pose") {
        let driver = smooth(&triples(file, "retarget_driving_pose")?, SMOOTHING);
        compare_vectors(file, &mut report, "retarget_smoothed_driving", &driver)?;
        let source = triples(file, "retarget_source_pose")?;
        let [source] = source[..] else { return Err(wrong("`retarget_source_pose` must be one vector")) };
        let Some(first) = driver.first() else { return Err(wrong("`retarget_driving_pose` holds no vector")) };
        compare_vectors(file, &mut report, "retarget_pose", &relative(&source, first, &driver)?)?;
    }
    if file.has_input("orth_cam") {
        projection(file, &mut report)?;
    }
    for (input, output) in [("bs2exp", "bs_exp"), ("bs2pose", "bs_pose"), ("bs2eye", "bs_eye_pose")] {
        if file.has_input(input) {
            let scores: Result<[f64; BLENDSHAPES], _> = file.input("bs_scores")?.data.try_into();
            let scores = scores.map_err(|_| wrong("`bs_scores` must be 52 numbers"))?;
            let mut values = by_blendshapes(&scores, &file.input(input)?.data);
            if input == "bs2pose" {
                // The head's rotation is left to the tracker, so that only the jaw's remains.
                values.iter_mut().take(3).for_each(|value| *value = 0.0);
            }
            report.compare_values(file, output, &[1, values.len()], &values, FORMULA)?;
        }
    }
    Ok(report.finish(file))
}

/// Points through the camera, and the normals of a mesh that they span.
fn projection(file: &Golden, report: &mut Report) -> Result<()> {
    let points = file.input("orth_points")?;
    let [batch, count, 3] = points.shape[..] else { return Err(wrong("`orth_points` must be [batch, points, 3]")) };
    let cameras = file.input("orth_cam")?.data;
    let faces = file.input("normal_faces")?.data;
    let heads = points.data.as_chunks::<3>().0.chunks(count.max(1));
    let (mut projected, mut normals) = (Vec::new(), Vec::new());
    for ((head, camera), faces) in heads.zip(cameras.as_chunks::<3>().0).zip(faces.chunks(faces.len() / batch.max(1))) {
        let [scale, right, up] = camera.map(|v| v as f32);
        let camera = OrthographicCamera { scale, shift: [right, up] };
        projected.extend(head.iter().flat_map(|point| camera.scaled(point.map(|v| v as f32)).map(f64::from)));
        let triangles: Vec<[usize; 3]> = faces.as_chunks::<3>().0.iter().map(|face| face.map(|v| v as usize)).collect();
        normals.extend(vertex_normals(head, &triangles));
    }
    let shape = [batch, count, 3];
    report.compare_values(file, "orth_proj", &shape, &projected, Tolerance::Reference)?;
    Ok(report.compare_values(file, "vertex_normals", &shape, normals.as_flattened(), FORMULA)?)
}

fn wrong(reason: &str) -> Error {
    Error::invalid("golden file", reason)
}

fn triples(file: &Golden, name: &str) -> Result<Vec<Vector3<f64>>> {
    Ok(file.input(name)?.data.as_chunks::<3>().0.iter().map(|v| Vector3::from(*v)).collect())
}

fn compare_vectors(file: &Golden, report: &mut Report, name: &str, vectors: &[Vector3<f64>]) -> Result<()> {
    let values: Vec<f64> = vectors.iter().flat_map(|vector| vector.as_slice().to_vec()).collect();
    Ok(report.compare_values(file, name, &[vectors.len(), 3], &values, FORMULA)?)
}

fn compare_matrices(file: &Golden, report: &mut Report, name: &str, matrices: &[Matrix3<f64>]) -> Result<()> {
    let values: Vec<f64> = matrices.iter().flat_map(|matrix| matrix.transpose().as_slice().to_vec()).collect();
    Ok(report.compare_values(file, name, &[matrices.len(), 3, 3], &values, FORMULA)?)
}
