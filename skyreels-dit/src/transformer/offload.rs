//! Blocks that wait in another device's memory.

use std::borrow::Cow;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::in_order;

use super::block::Block;
use super::config::TransformerConfig;
use super::model::Transformer;
use crate::Result;

impl TransformerConfig {
    /// A transformer that computes on `device` and keeps its blocks on `host`: every pass fetches one block after the
    /// other and drops it again. The published model in bf16 then takes about 0.3 GB on the device, and every pass moves
    /// 11 GB. The results are those of [`init`](Self::init).
    ///
    /// Load and use it as any other; it cannot be trained.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init_offloaded(&self, device: &Device, host: &Device) -> Result<Transformer> {
        let transformer = self.init(device)?;
        let blocks = (0..self.num_layers).map(|_| Block::new(self, host).map(&mut AsStored)).collect();
        Ok(transformer.with_offloaded(blocks))
    }
}

impl Transformer {
    /// The blocks where `device` can compute them, first to last: themselves, or one copy at a time.
    pub(super) fn blocks_on<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = Cow<'a, Block>> {
        self.blocks().iter().map(move |block| match self.is_offloaded() {
            true => Cow::Owned(block.clone().map(&mut Fetch { device })),
            false => Cow::Borrowed(block),
        })
    }
}

/// Keeps matrices in the layout of the file. Transposed here, they would have to be copied to be moved.
struct AsStored;

impl ModuleMapper for AsStored {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D == 2 { param.load_mapper(|stored| stored).save_mapper(|stored| stored) } else { param }
    }
}

/// Brings parameters to a device, matrices in the layout that a linear layer computes with.
struct Fetch<'a> {
    device: &'a Device,
}

impl ModuleMapper for Fetch<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let tensor = tensor.to_device(self.device);
            if D == 2 { in_order(tensor.swap_dims(0, 1)) } else { tensor }
        })
    }
}
