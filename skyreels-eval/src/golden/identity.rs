//! ArcFace and CurricularFace: embeddings, their angles and every stored stage.

use burn::tensor::Tensor;
use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report, Tolerance};

use super::thinned;
use crate::Result;
use crate::embed::{ArcFaceConfig, ArcFaceNetwork, CurricularFaceConfig, EMBEDDING, Watch, cosine, normalised};
use crate::inference::rows;

/// An iresnet of whichever published depth the file's weights are.
pub(super) fn run_arcface(file: &Golden, device: &Device) -> Result<Report> {
    let network = published_depth(file, device)?;
    run("ArcFace", file, device, |faces, watch| network.forward_watched(faces, watch))
}

fn published_depth(file: &Golden, device: &Device) -> Result<ArcFaceNetwork> {
    // Shapes are compared before anything is filled: a depth that is not the file's costs nothing. What is said of a
    // file that is of none is said of the depth that the original uses.
    let load = |depth: ArcFaceConfig| file.load("", depth.init(device));
    let others = ArcFaceConfig::PUBLISHED.into_iter().filter(|depth| *depth != ArcFaceConfig::R50);
    match load(ArcFaceConfig::R50) {
        Ok(network) => Ok(network),
        Err(error) => Ok(others.map(load).find_map(Result::ok).ok_or(error)?),
    }
}

pub(super) fn run_curricular(file: &Golden, device: &Device) -> Result<Report> {
    let network = file.load("", CurricularFaceConfig.init(device))?;
    run("CurricularFace", file, device, |faces, watch| network.forward_watched(faces, watch))
}

/// Every input `images_u8` + suffix gives answers with that suffix.
fn run(
    name: &'static str,
    file: &Golden,
    device: &Device,
    forward: impl Fn(Tensor<4>, &mut Watch) -> Tensor<2>,
) -> Result<Report> {
    let mut report = Report::new(file);
    for input in file.inputs() {
        let Some(suffix) = input.strip_prefix("images_u8") else { continue };
        let faces: Tensor<4> = file.tensor(&input, device)?;
        let mut failed = None;
        let embedding = forward((faces / 255.0 - 0.5) / 0.5, &mut |level, values| {
            if let Err(error) = thinned::compare(file, &mut report, &format!("{level}{suffix}"), values) {
                failed = Some(error);
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        report.compare(file, &format!("embedding{suffix}"), embedding.clone())?;
        let rows = rows(name, embedding)?;
        let unit: Vec<Vec<f64>> = rows.iter().map(|row| normalised(row)).collect::<Result<_>>()?;
        let shape = [rows.len(), EMBEDDING];
        let answer = format!("embedding_normalised{suffix}");
        report.compare_values(file, &answer, &shape, &unit.concat(), Tolerance::Reference)?;
        // Each face beside the one before.
        let angles: Vec<f64> = rows.windows(2).map(|pair| cosine(&pair[0], &pair[1])).collect::<Result<_>>()?;
        report.compare_values(file, &format!("cosine{suffix}"), &[angles.len()], &angles, Tolerance::Reference)?;
    }
    Ok(report.finish(file))
}
