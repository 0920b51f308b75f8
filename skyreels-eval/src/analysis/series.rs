//! Values of frames, kept to the last bit.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use skyreels_core::Error as CoreError;
use skyreels_core::output::write_file;

use super::watcher::TruthScores;
use crate::Result;

/// Where the fingerprint stands in the header.
const FINGERPRINT: &str = "fingerprint";
/// Names of the comparisons with the truth.
const NAMES: [&str; 3] = ["psnr", "ssim", "ms_ssim"];

/// Little-endian doubles; a frame without a value is not a number.
pub(super) fn series_bytes(values: &[Option<f64>]) -> Vec<u8> {
    values.iter().flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()).collect()
}

/// The values back; `None` for a tensor of another type.
pub(super) fn read_series(view: &TensorView) -> Option<Vec<Option<f64>>> {
    let doubles = view.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
    (view.dtype() == Dtype::F64).then(|| doubles.map(|value| (!value.is_nan()).then_some(value)).collect())
}

/// Writes the comparison of a result with its truth, whole or not at all.
pub(crate) fn save_truth(path: &Path, scores: &TruthScores, fingerprint: &str) -> Result<()> {
    let bytes = [&scores.psnr, &scores.ssim, &scores.ms_ssim].map(|values| series_bytes(values));
    let views = NAMES
        .iter()
        .zip(&bytes)
        .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F64, vec![bytes.len() / size_of::<f64>()], bytes)?)));
    let metadata = HashMap::from([(FINGERPRINT.to_string(), fingerprint.to_string())]);
    let written = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let written = written.and_then(|views| safetensors::serialize(views, Some(metadata)));
    let written = written.map_err(|error| CoreError::malformed(path, "measurements", error.to_string()))?;
    Ok(write_file(path, &written)?)
}

/// Reads it back; `None` when there is none, when it is of other files or options, and when it is damaged.
pub(crate) fn load_truth(path: &Path, fingerprint: &str) -> Option<TruthScores> {
    let bytes = std::fs::read(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    if header.metadata().as_ref()?.get(FINGERPRINT)? != fingerprint {
        return None;
    }
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let [psnr, ssim, ms_ssim] = NAMES.map(|name| read_series(&tensors.tensor(name).ok()?));
    Some(TruthScores { psnr: psnr?, ssim: ssim?, ms_ssim: ms_ssim? })
}
