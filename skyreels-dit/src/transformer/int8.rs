//! Weights of the blocks in 8 bits.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::Linear;
use burn::tensor::quantization::{QuantScheme, QuantValue, ScaleDtype};
use burn::tensor::{DType, Device, Tensor, module};
use skyreels_core::checkpoint::Published;
use skyreels_core::device::Backend;
use skyreels_core::{Error as CoreError, Precision, nn};

use super::config::TransformerConfig;
use super::model::Transformer;
use crate::Result;

/// Neighbouring weights of an output that share a scale.
const GROUP: usize = 32;
/// Bytes of a scale, f32: trained weights of 0.01 have scales below the smallest normal f16.
const SCALE_BYTES: usize = 4;
/// Name of the blocks among the fields, and in the keys of a checkpoint.
const BLOCKS: &str = "transformer_blocks";

impl TransformerConfig {
    /// A transformer whose blocks keep the weights of their linear layers in 8 bits once they are loaded.
    ///
    /// A weight is `scale * q` with `q` a whole number between -127 and 127, and a scale for each 32 neighbours of an
    /// output, so that the largest of them is 127. It is quantised as it is loaded: no moment holds more than one weight
    /// in full. For the time of a product it is turned back into the numbers of its input, one layer at a time, and the
    /// product itself is that of the precision that was loaded. This saves memory, not time.
    ///
    /// Such a model can be saved, with the rounded weights, and cannot be trained.
    ///
    /// # Errors
    /// Those of [`init`](Self::init); [`skyreels_core::Error::Device`] for LibTorch, which has no such tensors in Burn.
    pub fn init_int8(&self, device: &Device) -> Result<Transformer> {
        if Backend::of(device) == Backend::LibTorch {
            let [reason, help] =
                ["it has no weights of 8 bits", "use cpu, ndarray or cuda, or leave the weights as they are"];
            let device = format!("{device:?}");
            return Err(CoreError::Device { device, reason: reason.into(), help: help.into() }.into());
        }
        Ok(self.init(device)?.map(&mut QuantiseOnLoad { path: Vec::new() }))
    }
}

impl Transformer {
    /// Bytes of the weights of all blocks in `precision`.
    pub fn block_bytes(&self, precision: Precision) -> u64 {
        let shapes = self.published_shapes().into_iter().filter(|(key, _)| key.starts_with(BLOCKS));
        shapes.map(|(_, shape)| (shape.iter().product::<usize>() * precision.bytes()) as u64).sum()
    }

    /// Bytes of all weights in `precision`, those of the blocks in 8 bits where `int8` says so.
    pub fn weight_bytes(&self, precision: Precision, int8: bool) -> u64 {
        let bytes = |(key, shape): (String, Vec<usize>)| {
            let count: usize = shape.iter().product();
            let small = int8 && key.starts_with(BLOCKS) && fits(&shape);
            (if small { count + count / GROUP * SCALE_BYTES } else { count * precision.bytes() }) as u64
        };
        self.published_shapes().into_iter().map(bytes).sum()
    }
}

/// Whether a parameter stored in this shape is a matrix of whole groups.
fn fits(stored: &[usize]) -> bool {
    matches!(stored, [_, inputs] if inputs.is_multiple_of(GROUP))
}

fn scheme(device: &Device) -> QuantScheme {
    // How the device likes to store them is its own affair.
    let scheme = device.settings().quantization.scheme;
    scheme.with_value(QuantValue::Q8S).per_block([GROUP as u8], ScaleDtype::F32)
}

struct QuantiseOnLoad {
    path: Vec<String>,
}

impl ModuleMapper for QuantiseOnLoad {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let in_blocks = self.path.first().is_some_and(|name| name == BLOCKS);
        if param.is_initialized() || !in_blocks || !fits(&param.lazy_shape()) {
            return param;
        }
        // Takes the place of the transposition: in the stored layout the inputs of an output are neighbours.
        param
            .load_mapper(|stored| {
                let scheme = scheme(&stored.device());
                stored.quantize_dynamic(&scheme)
            })
            .save_mapper(Tensor::dequantize)
    }
}

/// `x W + b`; a `W` of 8 bits is there in full for the time of the product.
///
/// # Shapes
/// `[.., inputs] -> [.., outputs]`
pub(super) fn project<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let weight = layer.weight.val();
    if !matches!(weight.dtype(), DType::QFloat(_)) {
        return nn::project(layer, x);
    }
    let weight = weight.dequantize().cast(x.dtype()).transpose();
    module::linear(x, weight, layer.bias.as_ref().map(|bias| bias.val()))
}
