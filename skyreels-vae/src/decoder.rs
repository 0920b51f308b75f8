//! From latents to frames.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};

use crate::blocks::{MidBlock, Resnet, Upsample, finish, resnets};
use crate::config::VaeConfig;
use crate::conv::CausalConv;
use crate::norm::SpatialNorm;
use crate::pass::Pass;

/// The decoder (`CogVideoXDecoder3D`): its norms are modulated by the latents it decodes.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    conv_in: CausalConv,
    mid_block: MidBlock<SpatialNorm>,
    up_blocks: Vec<UpBlock>,
    norm_out: SpatialNorm,
    conv_out: CausalConv,
}

#[derive(Module, Debug)]
struct UpBlock {
    resnets: Vec<Resnet<SpatialNorm>>,
    upsamplers: Vec<Upsample>,
}

impl Decoder {
    pub(crate) fn new(config: &VaeConfig, device: &Device) -> Self {
        let widths: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let norm = |channels| SpatialNorm::new(config.norm_num_groups, channels, config.latent_channels, device);
        let (finest, width) = (widths.len() - 1, widths[widths.len() - 1]);
        let up_block = |level: usize| {
            let (from, to) = (widths[level.saturating_sub(1)], widths[level]);
            let resnet = |layer| Resnet::new([if layer == 0 { from } else { to }, to], norm, device);
            UpBlock {
                resnets: (0..=config.layers_per_block).map(resnet).collect(),
                upsamplers: (level < finest)
                    .then(|| Upsample::new(to, level < config.time_levels(), device))
                    .into_iter()
                    .collect(),
            }
        };
        Self {
            conv_in: CausalConv::new([config.latent_channels, widths[0]], device),
            mid_block: MidBlock::new(widths[0], norm, device),
            up_blocks: (0..widths.len()).map(up_block).collect(),
            norm_out: norm(width),
            conv_out: CausalConv::new([width, config.out_channels], device),
        }
    }

    /// Type of weights and activations.
    pub(crate) fn dtype(&self) -> DType {
        self.conv_in.dtype()
    }

    /// One batch of latents to frames in f32.
    ///
    /// # Shapes
    /// `[batch, latent_channels, t, h, w] -> [batch, 3, frames, 8 h, 8 w]`
    pub(crate) fn forward(&self, latents: Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        let latents = latents.cast(self.conv_in.dtype());
        // Every norm needs them: they are a leaf where the graph is cut.
        let latents = pass.cache.leaf(latents.clone()).map_or(latents, |leaf| leaf.value);
        let mut x = pass.named("conv_in", |pass| self.conv_in.forward(latents.clone(), pass.cache));
        x = pass.named("mid_block", |pass| self.mid_block.forward(x, &latents, pass));
        for (level, block) in self.up_blocks.iter().enumerate() {
            x = pass.named(format_args!("up_blocks.{level}"), |pass| block.forward(x, &latents, pass));
        }
        finish(&self.norm_out, &self.conv_out, x, &latents, pass).cast(DType::F32)
    }
}

impl UpBlock {
    fn forward(&self, x: Tensor<5>, latents: &Tensor<5>, pass: &mut Pass) -> Tensor<5> {
        let x = resnets(&self.resnets, x, latents, pass);
        self.upsamplers.iter().fold(x, |x, up| pass.named("upsamplers.0", |pass| up.forward(x, pass.cache)))
    }
}
