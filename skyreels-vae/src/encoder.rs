//! From frames to the moments of their latents.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

use crate::blocks::{Downsample, MidBlock, Resnet, finish, resnets};
use crate::config::VaeConfig;
use crate::conv::CausalConv;
use crate::norm::{FIXED_EPSILON, GroupNorm};
use crate::pass::Pass;

/// The encoder (`CogVideoXEncoder3D`): eight times smaller in space, four times in time.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    conv_in: CausalConv,
    down_blocks: Vec<DownBlock>,
    mid_block: MidBlock<GroupNorm>,
    norm_out: GroupNorm,
    conv_out: CausalConv,
}

#[derive(Module, Debug)]
struct DownBlock {
    resnets: Vec<Resnet<GroupNorm>>,
    downsamplers: Vec<Downsample>,
}

impl Encoder {
    pub(crate) fn new(config: &VaeConfig, device: &Device) -> Self {
        let widths = &config.block_out_channels;
        let norm = |channels| GroupNorm::new(config.norm_num_groups, channels, config.norm_eps, device);
        let (coarsest, width) = (widths.len() - 1, widths[widths.len() - 1]);
        let down_block = |level: usize| {
            let (from, to) = (widths[level.saturating_sub(1)], widths[level]);
            let resnet = |layer| Resnet::new([if layer == 0 { from } else { to }, to], norm, device);
            DownBlock {
                resnets: (0..config.layers_per_block).map(resnet).collect(),
                downsamplers: (level < coarsest)
                    .then(|| Downsample::new(to, level < config.time_levels(), device))
                    .into_iter()
                    .collect(),
            }
        };
        Self {
            conv_in: CausalConv::new([config.in_channels, widths[0]], device),
            down_blocks: (0..widths.len()).map(down_block).collect(),
            mid_block: MidBlock::new(width, norm, device),
            norm_out: GroupNorm::new(config.norm_num_groups, width, FIXED_EPSILON, device),
            conv_out: CausalConv::new([width, 2 * config.latent_channels], device),
        }
    }

    /// Type of weights and activations.
    pub(crate) fn dtype(&self) -> DType {
        self.conv_in.dtype()
    }

    /// One batch of frames.
    ///
    /// # Shapes
    /// `[batch, 3, frames, height, width] -> [batch, 2 * latent_channels, t, height / 8, width / 8]`
    pub(crate) fn forward(&self, frames: Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        let frames = frames.cast(self.conv_in.dtype());
        let mut x = pass.named("conv_in", |pass| self.conv_in.forward(frames, pass.cache));
        for (level, block) in self.down_blocks.iter().enumerate() {
            x = pass.named(format_args!("down_blocks.{level}"), |pass| block.forward(x, pass));
        }
        let x = pass.named("mid_block", |pass| self.mid_block.forward(x, &(), pass));
        finish(&self.norm_out, &self.conv_out, x, &(), pass)
    }
}

impl DownBlock {
    fn forward(&self, x: Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        let x = resnets(&self.resnets, x, &(), pass);
        self.downsamplers.iter().fold(x, |x, down| pass.named("downsamplers.0", |pass| down.forward(x, pass.cache)))
    }
}
