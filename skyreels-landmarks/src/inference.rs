//! Numbers that come back from a device.

use burn::tensor::Tensor;

use crate::{Error, Result};

/// All values of a tensor, row-major.
///
/// # Errors
/// [`Error::Inference`] names the network when the device failed.
pub(crate) fn values<const D: usize>(network: &'static str, tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Inference { network, reason: error.to_string() })
}
