//! Inception-v3 in both forms.

use burn::tensor::Tensor;
use serde_json::Value;
use skyreels_core::Device;
use skyreels_core::golden::{Golden, Report};

use super::thinned;
use crate::Result;
use crate::inception::{INPUT_SIDE, InceptionConfig, InceptionVariant, resampled};

/// Every input `images` + case + `_u8` gives answers with that case: `pool_299` for `images_299_u8`, `pool` for `images_u8`.
pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let description: Value = file.config("")?;
    let variant = match description.get("transform_input") {
        Some(_) => InceptionVariant::Torchvision,
        None => InceptionVariant::Fid,
    };
    let network = file.load("", InceptionConfig { variant }.init(device))?;
    let mut report = Report::new(file);
    for input in file.inputs() {
        let Some(case) = input.strip_prefix("images").and_then(|rest| rest.strip_suffix("_u8")) else { continue };
        let pictures: Tensor<4> = file.tensor(&input, device)?;
        let pictures = pictures / 255.0;
        resized(file, &mut report, case, &pictures)?;
        let mut failed = None;
        let features = network.forward_watched(pictures, &mut |level, values| {
            if let Err(error) = thinned::compare(file, &mut report, &format!("{level}{case}"), values) {
                failed = Some(error);
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        report.compare(file, &format!("pool{case}"), features)?;
    }
    Ok(report.finish(file))
}

/// `resized` + case + `_everyN`: the picture that FID's network sees, on its scale.
fn resized(file: &Golden, report: &mut Report, case: &str, pictures: &Tensor<4>) -> Result<()> {
    for stored in file.outputs() {
        let step = stored.strip_prefix("resized").and_then(|rest| rest.strip_prefix(case)?.strip_prefix("_every"));
        let Some(step) = step.and_then(|step| step.parse().ok()) else { continue };
        let square = resampled(pictures.clone(), INPUT_SIDE).mul_scalar(2.0).sub_scalar(1.0);
        report.compare(file, &stored, thinned::every(thinned::every(square, 2, step), 3, step))?;
    }
    Ok(())
}
