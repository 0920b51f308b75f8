//! `in.pixel_values` to the last hidden state and the pooled vector.

use burn::tensor::Device;
use skyreels_core::golden::{Golden, Report};
use skyreels_core::{Precision, Progress};

use super::compare_trace;
use crate::Result;
use crate::siglip::SiglipConfig;
use crate::trace::Trace;

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: SiglipConfig = file.config("")?;
    let weights = file.weights("");
    let tower = if weights.contains("vision_model.head.probe") {
        config.init_with_head(device)?
    } else {
        config.init(device)?
    };
    let tower = weights.load(tower, Precision::F32, Progress::none())?;

    let mut trace = Trace::on();
    let tokens = tower.forward_traced(file.tensor("pixel_values", device)?, &mut trace)?;
    let mut report = Report::new(file);
    compare_trace(&mut report, file, &trace)?;
    if let Some(pooled) = tower.pool(tokens) {
        report.compare(file, "pooler_output", pooled)?;
    }
    Ok(report.finish(file))
}
