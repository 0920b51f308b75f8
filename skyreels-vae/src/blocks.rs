//! Residual blocks and changes of resolution, shared by encoder and decoder.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv3d};
use burn::tensor::{Device, Tensor};
use skyreels_core::nn::{self, silu};

use crate::conv::{CausalConv, apply_point_conv, doubling_frame_conv, halving_frame_conv, point_conv};
use crate::differentiate::Leaf;
use crate::host::{self, Clip};
use crate::norm::Norm;
use crate::pass::{Pass, TimeCache};
use crate::resize::{double_frames, halve_frames};

/// Residual blocks between the last level and the ends.
pub(crate) const MID_LAYERS: usize = 2;

/// `shortcut(x) + conv2(silu(norm2(conv1(silu(norm1(x))))))` (`CogVideoXResnetBlock3D`).
#[derive(Module, Debug)]
pub(crate) struct Resnet<N: Module> {
    norm1: N,
    conv1: CausalConv,
    norm2: N,
    conv2: CausalConv,
    conv_shortcut: Option<Conv3d>,
}

impl<N: Norm> Resnet<N> {
    pub(crate) fn new(channels: [usize; 2], norm: impl Fn(usize) -> N, device: &Device) -> Self {
        let [from, to] = channels;
        Self {
            norm1: norm(from),
            conv1: CausalConv::new([from, to], device),
            norm2: norm(to),
            conv2: CausalConv::new([to, to], device),
            conv_shortcut: (from != to).then(|| point_conv([from, to], device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<5>, guide: &N::Guide, pass: &mut Pass) -> Tensor<5> {
        if let Some(x) = pass.cache.leaf(x.clone()) {
            return self.on_tape(x, guide, pass.cache);
        }
        if host::serves(&x) && !pass.is_watched() {
            return self.on_host(x, guide, pass);
        }
        let dtype = x.dtype();
        let h = pass.named("norm1", |_| self.norm1.forward(x.clone(), guide));
        let h = pass.named("conv1", |pass| self.conv1.forward(silu(h).cast(dtype), pass.cache));
        let h = pass.named("norm2", |_| self.norm2.forward(h, guide));
        let h = pass.named("conv2", |pass| self.conv2.forward(silu(h).cast(dtype), pass.cache));
        match &self.conv_shortcut {
            Some(conv) => apply_point_conv(conv, x) + h,
            None => x + h,
        }
    }

    fn on_tape(&self, x: Leaf, guide: &N::Guide, cache: &mut TimeCache) -> Tensor<5> {
        let h = self.conv1.activated_on_tape(&x, &self.norm1, guide, cache, None);
        let sum = match &self.conv_shortcut {
            Some(conv) => cache.leaf(apply_point_conv(conv, x.value)),
            None => Some(x),
        };
        self.conv2.activated_on_tape(&h, &self.norm2, guide, cache, sum).value
    }

    fn on_host(&self, x: Tensor<5>, guide: &N::Guide, pass: &mut Pass) -> Tensor<5> {
        let shortcut = self.conv_shortcut.as_ref().map(|conv| Clip::new(conv.forward(x.clone())));
        let x = Clip::new(x);
        let h = self.conv1.activated_on_host(&x, &self.norm1, guide, pass.cache, None);
        let sum = shortcut.unwrap_or(x);
        self.conv2.activated_on_host(&h, &self.norm2, guide, pass.cache, Some(sum)).into_tensor()
    }
}

/// The end of encoder and decoder: `conv_out(silu(norm_out(x)))`.
pub(crate) fn finish<N: Norm>(
    norm_out: &N,
    conv_out: &CausalConv,
    x: Tensor<5>,
    guide: &N::Guide,
    pass: &mut Pass,
) -> Tensor<5> {
    if let Some(x) = pass.cache.leaf(x.clone()) {
        return conv_out.activated_on_tape(&x, norm_out, guide, pass.cache, None).value;
    }
    if host::serves(&x) && !pass.is_watched() {
        return conv_out.activated_on_host(&Clip::new(x), norm_out, guide, pass.cache, None).into_tensor();
    }
    let dtype = x.dtype();
    let x = pass.named("norm_out", |_| norm_out.forward(x, guide));
    pass.named("conv_out", |pass| conv_out.forward(silu(x).cast(dtype), pass.cache))
}

/// Runs residual blocks one after the other.
pub(crate) fn resnets<N: Norm>(blocks: &[Resnet<N>], x: Tensor<5>, guide: &N::Guide, pass: &mut Pass) -> Tensor<5> {
    blocks
        .iter()
        .enumerate()
        .fold(x, |x, (index, block)| pass.named(format_args!("resnets.{index}"), |pass| block.forward(x, guide, pass)))
}

/// The coarsest level between encoder or decoder blocks and their ends (`CogVideoXMidBlock3D`).
#[derive(Module, Debug)]
pub(crate) struct MidBlock<N: Module> {
    resnets: Vec<Resnet<N>>,
}

impl<N: Norm> MidBlock<N> {
    pub(crate) fn new(channels: usize, norm: impl Fn(usize) -> N, device: &Device) -> Self {
        Self { resnets: (0..MID_LAYERS).map(|_| Resnet::new([channels; 2], &norm, device)).collect() }
    }

    pub(crate) fn forward(&self, x: Tensor<5>, guide: &N::Guide, pass: &mut Pass) -> Tensor<5> {
        resnets(&self.resnets, x, guide, pass)
    }
}

/// Half the size, and half the frames where the level compresses time (`CogVideoXDownsample3D`).
#[derive(Module, Debug)]
pub(crate) struct Downsample {
    conv: Conv2d,
    #[module(skip)]
    time: bool,
}

impl Downsample {
    pub(crate) fn new(channels: usize, time: bool, device: &Device) -> Self {
        Self { conv: nn::conv2d([channels; 2], 3, 2, device), time }
    }

    pub(crate) fn forward(&self, x: Tensor<5>, cache: &mut TimeCache) -> Tensor<5> {
        let x = if self.time { halve_frames(x) } else { x };
        halving_frame_conv(&self.conv, x, cache)
    }
}

/// Double the size, and twice the frames where the level expands time (`CogVideoXUpsample3D`).
#[derive(Module, Debug)]
pub(crate) struct Upsample {
    conv: Conv2d,
    #[module(skip)]
    time: bool,
}

impl Upsample {
    pub(crate) fn new(channels: usize, time: bool, device: &Device) -> Self {
        Self { conv: nn::conv2d([channels; 2], 3, 1, device), time }
    }

    pub(crate) fn forward(&self, x: Tensor<5>, cache: &mut TimeCache) -> Tensor<5> {
        // The convolution works frame by frame: frames are repeated after it, not before.
        let x = doubling_frame_conv(&self.conv, x, cache);
        if self.time { double_frames(x) } else { x }
    }
}
