//! RetinaFace: what the network says, what that means, and which faces remain.

use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report, Tolerance};

use crate::Result;
use crate::detection::FaceDetector;
use crate::inference::values;
use crate::retinaface::{Priors, RetinaFace, RetinaFaceConfig};

/// Every picture `image_bgr_u8_SIZE`.
pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let network = file.load("", RetinaFaceConfig.init(device))?;
    let mut detector = RetinaFace::new(network, device);
    let mut report = Report::new(file);
    for input in file.inputs() {
        let Some(case) = input.strip_prefix("image_bgr_u8_") else { continue };
        let mut picture = super::picture(&file.input(&input)?)?;
        picture.pixels_mut().for_each(|pixel| pixel.0.reverse());
        let output = detector.look(&picture);
        report.compare(file, &format!("loc_{case}"), output.boxes.clone())?;
        report.compare(file, &format!("conf_{case}"), output.classes)?;
        report.compare(file, &format!("landm_{case}"), output.points.clone())?;

        let priors = Priors::of([picture.width(), picture.height()]);
        let count = priors.anchors().len();
        let mut table = |name: &str, width: usize, rows: &[f64]| {
            report.compare_values(file, &format!("{name}_{case}"), &[count, width], rows, Tolerance::Reference)
        };
        table("priors", 4, priors.anchors().as_flattened())?;
        let boxes = values("RetinaFace", output.boxes)?;
        let corners = boxes.as_chunks().0.iter().enumerate().map(|(index, offsets)| priors.corners(index, offsets));
        table("boxes", 4, corners.collect::<Vec<_>>().as_flattened())?;
        let points = values("RetinaFace", output.points)?;
        let points = points.as_chunks().0.iter().enumerate().map(|(index, offsets)| priors.points(index, offsets));
        table("landmarks", 10, points.collect::<Vec<_>>().as_flattened().as_flattened())?;

        let threshold = file.field("detect").and_then(|detect| detect.get(case)?.get("conf_threshold")?.as_f64());
        if let Some(threshold) = threshold {
            detector.threshold = threshold as f32;
        }
        let faces = detector.detect(&picture)?;
        let rows = faces.iter().flat_map(|face| {
            let [left, top, right, bottom] = [face.bbox.left, face.bbox.top, face.bbox.right, face.bbox.bottom];
            [left, top, right, bottom, face.score].into_iter().chain(face.points.into_iter().flatten())
        });
        let rows: Vec<f64> = rows.map(f64::from).collect();
        let shape = [faces.len(), 15];
        report.compare_values(file, &format!("detect_faces_{case}"), &shape, &rows, Tolerance::Reference)?;
    }
    Ok(report.finish(file))
}
