//! `in.pixel_values` to the last hidden state and the pooled vector.

use burn::tensor::Device;
use skyreels_core::golden::{Golden, Report};

use super::compare_trace;
use crate::Result;
use crate::siglip::SiglipConfig;
use crate::trace::Trace;

/// The answer that needs the pooling head.
const POOLED: &str = "pooler_output";

pub(super) fn run(file: &Golden, device: &Device) -> Result<Report> {
    let config: SiglipConfig = file.config("")?;
    let pools = file.expected(POOLED)?.is_some();
    let tower = if pools { config.init_with_head(device)? } else { config.init(device)? };
    let tower = file.load("", tower)?;

    let mut trace = Trace::on();
    let tokens = tower.forward_traced(file.tensor("pixel_values", device)?, &mut trace)?;
    let mut report = Report::new(file);
    compare_trace(&mut report, file, &trace)?;
    if let Some(pooled) = tower.pool(tokens) {
        report.compare(file, POOLED, pooled)?;
    }
    Ok(report.finish(file))
}
