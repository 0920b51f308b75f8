//! SMIRK: the encoders, and the crop that they look at.

use burn::tensor::Tensor;
use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report, Tolerance};

use super::picture;
use crate::Result;
use crate::smirk::{FaceSquare, SmirkConfig};

/// Matrices and samples are exact but for the order of operations.
const EXACT_BUT_ORDER: Tolerance = Tolerance::Relative(1e-10);
/// Names of the three networks and of their heads, in the order of the encoder's intermediates.
const NETWORKS: [[&str; 2]; 3] = [
    ["pose_encoder", "pose_cam_layers"],
    ["shape_encoder", "shape_layers"],
    ["expression_encoder", "expression_layers"],
];

/// Every parameter and every stored level of the feature pyramids.
pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: SmirkConfig = file.config("")?;
    let encoder = file.load("", config.init(device))?;
    let images: Tensor<4> = file.tensor("images_u8", device)?;
    let output = encoder.forward(images / 255.0);
    let mut report = Report::new(file);
    report.compare(file, "pose_params", output.pose)?;
    report.compare(file, "cam", output.camera)?;
    report.compare(file, "shape_params", output.shape)?;
    report.compare(file, "expression_params", output.expression)?;
    report.compare(file, "eyelid_params", output.eyelids)?;
    report.compare(file, "jaw_params", output.jaw)?;
    for (([network, head], raw), levels) in NETWORKS.into_iter().zip(output.raw).zip(output.levels) {
        report.compare(file, &format!("{network}.{head}.raw"), raw)?;
        for (index, level) in levels.into_iter().enumerate() {
            thinned_level(file, &mut report, &format!("{network}.encoder.stage{index}"), level)?;
        }
    }
    Ok(report.finish(file))
}

/// A level stored as `NAME_cN_sM`: every Nth channel of every Mth row and column of the first pictures.
fn thinned_level(file: &Golden, report: &mut Report, name: &str, level: Tensor<4>) -> Result<()> {
    for stored in file.outputs() {
        let steps = stored.strip_prefix(name).and_then(|rest| rest.strip_prefix("_c")?.split_once("_s"));
        let Some([channels, pixels]) = steps.and_then(|(c, s)| Some([c.parse().ok()?, s.parse().ok()?])) else {
            continue;
        };
        let Some(expected) = file.expected(&stored)? else { continue };
        let pictures = expected.values.shape.first().copied().unwrap_or(1).min(level.dims()[0]);
        let thinned = [(1, channels), (2, pixels), (3, pixels)]
            .into_iter()
            .fold(level.clone().narrow(0, 0, pictures), |level, (axis, step)| every(level, axis, step));
        report.compare(file, &stored, thinned)?;
    }
    Ok(())
}

/// Every `step`th slice along an axis.
fn every(tensor: Tensor<4>, axis: usize, step: usize) -> Tensor<4> {
    let size = tensor.dims()[axis];
    let slices = (0..size).step_by(step.max(1)).map(|at| tensor.clone().narrow(axis, at, 1));
    Tensor::cat(slices.collect(), axis)
}

/// The square, its transforms and its pixels, for each set of landmarks.
pub(super) fn run_crop(file: &Golden) -> Result<Report> {
    let picture = picture(&file.input("image_u8")?)?;
    let mut report = Report::new(file);
    for input in file.inputs() {
        let Some(case) = input.strip_prefix("landmarks_") else { continue };
        let points = super::draw::points(&file.input(&input)?);
        let answer = format!("crop_u8_{case}");
        let Some(expected) = file.expected(&answer)? else { continue };
        let side = expected.values.shape[0];
        let square = FaceSquare::with_side(points, side as u32)?;
        let mut matrix = |name: &str, [first, second]: [[f64; 3]; 2]| {
            let rows = [first, second, [0.0, 0.0, 1.0]];
            report.compare_values(file, &format!("{name}_{case}"), &[3, 3], rows.as_flattened(), EXACT_BUT_ORDER)
        };
        matrix("tform", square.to_crop())?;
        matrix("tform_inverse", square.to_picture())?;
        // The transform of the square to itself, which the original computes and does not use.
        matrix("tform_original", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])?;
        let cut: Vec<f64> = square.cut(&picture).as_raw().iter().map(|v| f64::from(*v)).collect();
        report.compare_values(file, &answer, &[side, side, 3], &cut, Tolerance::Exact)?;
        for stored in file.outputs() {
            let thinned = stored.strip_prefix("crop_every").and_then(|rest| rest.split_once('_'));
            if let Some((step, _)) = thinned.filter(|(_, of)| *of == case)
                && let Ok(step) = step.parse::<usize>()
            {
                let values = square.sampled(&picture, step.max(1));
                let shape = [side.div_ceil(step.max(1)), side.div_ceil(step.max(1)), 3];
                report.compare_values(file, &stored, &shape, &values, EXACT_BUT_ORDER)?;
            }
        }
    }
    Ok(report.finish(file))
}
