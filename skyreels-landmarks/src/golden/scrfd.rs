//! SCRFD: the input that a picture becomes, the network, and the faces that given outputs mean.

use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report, Tolerance};

use crate::detection::Detection;
use crate::scrfd::{
    Letterbox, OVERLAP, Preference, SCORE_THRESHOLD, ScrfdConfig, StrideOutput, candidates, faces, preferred,
};
use crate::{Error, Result};

pub(super) fn run(file: &Golden) -> Result<Report> {
    let wrong = |reason: &str| Error::invalid("golden file", reason.to_owned());
    let setting = |name: &str| file.config::<f64>(&format!("/{name}")).ok().map(|value| value as f32);
    let threshold = setting("det_thresh").unwrap_or(SCORE_THRESHOLD);
    let overlap = setting("nms_thresh").unwrap_or(OVERLAP);
    let mut picture = super::picture(&file.input("image_bgr_u8")?)?;
    picture.pixels_mut().for_each(|pixel| pixel.0.reverse());
    let size = [picture.width(), picture.height()];

    // The size of the input is nowhere but in the shape of the stored blob, of which every Nth pixel is kept.
    let outputs = file.outputs();
    let stored = outputs.iter().find_map(|name| Some((name, name.strip_prefix("blob_every")?.parse::<usize>().ok()?)));
    let (name, step) = stored.ok_or_else(|| wrong("it has no answer `blob_everyN`"))?;
    let shape = file.expected(name)?.map(|expected| expected.values.shape).unwrap_or_default();
    let [3, rows, columns] = shape[..] else { return Err(wrong("the blob must be [3, height, width]")) };
    let input = [columns * step, rows * step];
    let letterbox = Letterbox::fit(size, input.map(|side| side as u32))?;
    let blob = letterbox.blob(&picture)?;
    let kept = blob.chunks(input[0]).enumerate().filter(|(row, _)| row % input[1] % step == 0);
    let thinned: Vec<f64> = kept.flat_map(|(_, row)| row.iter().step_by(step).map(|v| f64::from(*v))).collect();
    let mut report = Report::new(file);
    report.compare_values(file, name, &[3, rows, columns], &thinned, Tolerance::Reference)?;

    let mut strides: Vec<usize> =
        file.inputs().iter().filter_map(|name| name.strip_prefix("scores_")?.parse().ok()).collect();
    strides.sort_unstable();
    let single = |name: String| -> Result<Vec<f32>> { Ok(file.input(&name)?.data.iter().map(|v| *v as f32).collect()) };
    let outputs = strides.into_iter().map(|stride| {
        Ok(StrideOutput {
            stride,
            scores: single(format!("scores_{stride}"))?,
            edges: single(format!("boxes_{stride}"))?.as_chunks().0.to_vec(),
            points: single(format!("kps_{stride}"))?.as_chunks().0.to_vec(),
        })
    });
    let outputs: Vec<StrideOutput> = outputs.collect::<Result<_>>()?;
    let found = candidates(&outputs, input[0] as u32, letterbox.scale, threshold);
    report.compare_values(file, "candidates_sorted", &[found.len(), 5], &boxes(&found), Tolerance::Reference)?;
    let all = faces(&found, overlap);
    for name in file.outputs() {
        let Some(case) = name.strip_prefix("det_") else { continue };
        let chosen = match case.strip_prefix("max") {
            None => all.clone(),
            Some(rest) => {
                let (count, metric) = rest.split_once("_metric_").unwrap_or((rest, ""));
                let preference = if metric == "max" { Preference::Large } else { Preference::LargeAndCentral };
                preferred(&all, count.parse().unwrap_or(0), preference, size)
            }
        };
        report.compare_values(file, &name, &[chosen.len(), 5], &boxes(&chosen), Tolerance::Reference)?;
        let points: Vec<f64> =
            chosen.iter().flat_map(|face| face.points.into_iter().flatten()).map(f64::from).collect();
        let shape = [chosen.len(), 5, 2];
        report.compare_values(file, &format!("kps_{case}"), &shape, &points, Tolerance::Reference)?;
    }
    Ok(report.finish(file))
}

/// The network alone: `in.input` to scores, boxes and points of each stride.
pub(super) fn run_network(file: &Golden, device: &Device) -> Result<Report> {
    let config: ScrfdConfig = file.config("")?;
    let network = file.load("", config.init(device))?;
    let mut report = Report::new(file);
    for output in network.forward(file.tensor("input", device)?) {
        let stride = output.stride;
        report.compare(file, &format!("scores_{stride}"), output.scores)?;
        report.compare(file, &format!("boxes_{stride}"), output.edges)?;
        report.compare(file, &format!("kps_{stride}"), output.points)?;
    }
    Ok(report.finish(file))
}

/// Box and score of each face.
fn boxes(faces: &[Detection]) -> Vec<f64> {
    let row = |face: &Detection| [face.bbox.left, face.bbox.top, face.bbox.right, face.bbox.bottom, face.score];
    faces.iter().flat_map(row).map(f64::from).collect()
}
