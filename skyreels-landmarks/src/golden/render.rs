//! The original's renderer: vertices of FLAME's mesh to a frame of the guide clip.

use skyreels_core::golden::{Golden, Report, Tolerance};

use super::draw::{compare, from_listed, points};
use crate::draw::{Border, contours, eye_relative, guide3d, guide3d_colored, pupils};
use crate::retarget::orthographic::{CropTransform, OrthographicCamera, on_mesh};
use crate::{Error, Result};

/// Eyeball vertices that are appended to the 105 points.
const EYEBALLS: [usize; 8] = [4543, 4511, 4479, 4575, 3997, 3965, 3933, 4020];
/// Eyeball vertices that stand for the pupils on the audio path, with colours of their own.
const AUDIO_PUPILS: [(usize, [u8; 3]); 2] = [(4051, [180, 200, 10]), (4597, [10, 200, 180])];
/// Exact but for the order of sums.
const TOLERANCE: Tolerance = Tolerance::Relative(1e-6);

pub(super) fn run(file: &Golden, report: &mut Report) -> Result<()> {
    let wrong = |reason: &str| Error::invalid("golden file", reason.to_owned());
    let triples = |name: &str| -> Result<Vec<[f64; 3]>> { Ok(file.input(name)?.data.as_chunks::<3>().0.to_vec()) };
    let [camera] = triples("cam")?[..] else { return Err(wrong("`cam` must be three numbers")) };
    let camera = OrthographicCamera { scale: camera[0] as f32, shift: [camera[1] as f32, camera[2] as f32] };
    let vertices: Vec<[f32; 3]> = triples("vertices")?.iter().map(|v| camera.project(v.map(|v| v as f32))).collect();
    let flat: Vec<f64> = vertices.as_flattened().iter().map(|v| f64::from(*v)).collect();
    report.compare_values(file, "transformed_vertices", &[1, vertices.len(), 3], &flat, TOLERANCE)?;

    let faces: Vec<[usize; 3]> = triples("faces")?.iter().map(|face| face.map(|v| v as usize)).collect();
    let places = file.input("lmk_face_idx")?.data.into_iter().map(|v| v as usize).zip(triples("lmk_b_coords")?);
    let vertex = |i: usize| vertices.get(i).map(|v| v.map(f64::from));
    let on_mesh = places.map(|(face, weights)| on_mesh(&vertices, faces.get(face)?, weights));
    let seen: Option<Vec<[f64; 3]>> = on_mesh.chain(EYEBALLS.into_iter().map(vertex)).collect();
    let seen = seen.ok_or_else(|| wrong("a face or vertex index is too large"))?;
    report.compare_values(file, "landmarks_crop", &[seen.len(), 3], seen.as_flattened(), TOLERANCE)?;

    let tform = triples("source_tform")?;
    let crop = CropTransform::inverse_of([tform[0], tform[1]]).ok_or_else(|| wrong("`source_tform` has no inverse"))?;
    let pixels: Vec<[f64; 2]> = seen.iter().map(|point| crop.to_picture(*point)).collect();
    report.compare_values(file, "landmarks_pixel", &[pixels.len(), 2], pixels.as_flattened(), TOLERANCE)?;

    let (driver, face) = (points(&file.input("driving_kpt")?), from_listed(&pixels));
    let centers = pupils(&driver, &face)?;
    let flat: Vec<f64> = centers.iter().flatten().flatten().copied().collect();
    report.compare_values(file, "pupils", &[flat.len() / 2, 2], &flat, TOLERANCE)?;
    for (iris, corners) in [(contours::RIGHT_IRIS, [33, 133]), (contours::LEFT_IRIS, [362, 263])] {
        if let Some(relation) = eye_relative(corners.map(|i| driver[i]), driver[iris]) {
            report.compare_values(file, &format!("relation{iris}"), &[2], &relation, TOLERANCE)?;
        }
    }

    let size = |name: &str| -> Result<Option<[u32; 2]>> {
        Ok(match file.expected(name)?.map(|expected| expected.values.shape) {
            Some(shape) if shape.len() == 3 => Some([shape[1] as u32, shape[0] as u32]),
            _ => None,
        })
    };
    if let Some(size) = size("image_render")? {
        compare(file, "image_render", &guide3d(&face, centers, size, Border::Original)?, report)?;
    }
    if let Some(size) = size("image_coef")? {
        let pupils = AUDIO_PUPILS.map(|(i, color)| (vertex(i).map(|point| crop.to_picture(point)), color));
        compare(file, "image_coef", &guide3d_colored(&face, pupils, size, Border::Original)?, report)?;
    }
    Ok(())
}
