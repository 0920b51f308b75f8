//! Convolutions: causal in time, per frame, and per position.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv3d};
use burn::tensor::module::conv3d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{DType, Device, Tensor};
use skyreels_core::nn;

use crate::differentiate::{Before, Convolution, Leaf};
use crate::host::{self, Clip, Kernel};
use crate::norm::Norm;
use crate::pass::TimeCache;
use crate::resize::double_size;

/// Width of the kernels along every axis.
const KERNEL: usize = 3;
/// Frames that a causal convolution sees before its own.
const PAST: usize = KERNEL - 1;
/// Zeros on each side of a frame that keep its size.
const PADDING: usize = KERNEL / 2;

/// A 3x3x3 convolution that sees the past only (`CogVideoXCausalConv3d`): zeros around the
/// frame, and in time the two frames that came before.
#[derive(Module, Debug)]
pub(crate) struct CausalConv {
    conv: Conv3d,
}

impl CausalConv {
    pub(crate) fn new(channels: [usize; 2], device: &Device) -> Self {
        Self { conv: nn::conv3d(channels, [KERNEL; 3], [0, PADDING, PADDING], device) }
    }

    /// Type of the weights, which activations share.
    pub(crate) fn dtype(&self) -> DType {
        self.conv.weight.val().dtype()
    }

    /// # Shapes
    /// `[batch, channels, frames, height, width]`, all but the channels unchanged.
    pub(crate) fn forward(&self, x: Tensor<5>, cache: &mut TimeCache) -> Tensor<5> {
        if let Some(x) = cache.leaf(x.clone()) {
            return cache
                .convolve_on_tape(
                    &x,
                    Convolution::new(&self.conv.weight, self.conv.bias.as_ref(), Before::Nothing),
                    true,
                )
                .value;
        }
        if host::serves(&x) {
            return Clip::new(x).conv(&self.kernel(), PAST, cache).into_tensor();
        }
        self.conv.forward(cache.extend(x, PAST))
    }

    /// The convolution of the SiLU of the norm of `x`, added to `sum` if there is one.
    pub(crate) fn activated_on_host<N: Norm>(
        &self,
        x: &Clip,
        norm: &N,
        guide: &N::Guide,
        cache: &mut TimeCache,
        sum: Option<Clip>,
    ) -> Clip {
        x.activated_conv(norm, guide, &self.kernel(), PAST, cache, sum)
    }

    /// As [`activated_on_host`](Self::activated_on_host), on a tape.
    pub(crate) fn activated_on_tape<N: Norm>(
        &self,
        x: &Leaf,
        norm: &N,
        guide: &N::Guide,
        cache: &mut TimeCache,
        sum: Option<Leaf>,
    ) -> Leaf {
        let (gain, offset) = norm.affine(guide);
        let batch = x.value.dims()[0] / gain.dims()[0];
        let [gain, offset] = [gain, offset].map(|t| if batch == 1 { t } else { t.repeat_dim(0, batch) });
        let before = Before::Activation { gain, offset, groups: norm.groups(), epsilon: norm.epsilon() };
        let convolution = Convolution { sum, ..Convolution::new(&self.conv.weight, self.conv.bias.as_ref(), before) };
        cache.convolve_on_tape(x, convolution, true)
    }

    fn kernel(&self) -> Kernel {
        kernel(self.conv.weight.val(), &self.conv.bias)
    }
}

/// A 1x1x1 convolution under the key of a causal one.
#[derive(Module, Debug)]
pub(crate) struct PointConv {
    conv: Conv3d,
}

impl PointConv {
    pub(crate) fn new(channels: [usize; 2], device: &Device) -> Self {
        Self { conv: point_conv(channels, device) }
    }

    pub(crate) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        apply_point_conv(&self.conv, x)
    }
}

/// A 1x1x1 convolution.
pub(crate) fn point_conv(channels: [usize; 2], device: &Device) -> Conv3d {
    nn::conv3d(channels, [1; 3], [0; 3], device)
}

/// Applies a 1x1x1 convolution: as a product of matrices where gradients are asked for, which costs less to differentiate.
pub(crate) fn apply_point_conv(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    if !x.device().is_autodiff() {
        return conv.forward(x);
    }
    let [batch, from, frames, height, width] = x.dims();
    let weight = conv.weight.val();
    let to = weight.dims()[0];
    let y = weight.reshape([1, to, from]).matmul(x.reshape([batch, from, frames * height * width]));
    let y = match &conv.bias {
        Some(bias) => y + bias.val().reshape([1, to, 1]),
        None => y,
    };
    y.reshape([batch, to, frames, height, width])
}

/// A 3x3 convolution of each frame at twice its size, with zeros around it.
pub(crate) fn doubling_frame_conv(conv: &Conv2d, x: Tensor<5>, cache: &mut TimeCache) -> Tensor<5> {
    if let Some(x) = cache.leaf(x.clone()) {
        return cache
            .convolve_on_tape(&x, Convolution::new(&conv.weight, conv.bias.as_ref(), Before::Doubling), false)
            .value;
    }
    if host::serves(&x) {
        return Clip::new(x).doubled_conv(&kernel(conv.weight.val(), &conv.bias)).into_tensor();
    }
    per_frame(conv, double_size(x), 1, PADDING)
}

/// A 3x3 convolution of stride 2 of each frame, with zeros right and below only.
pub(crate) fn halving_frame_conv(conv: &Conv2d, x: Tensor<5>, cache: &mut TimeCache) -> Tensor<5> {
    if let Some(x) = cache.leaf(x.clone()) {
        // Every other position of a convolution of stride 1: four times the work, a fraction of the time.
        let y = cache
            .convolve_on_tape(&x, Convolution::new(&conv.weight, conv.bias.as_ref(), Before::Nothing), false)
            .value;
        return odd_positions(y);
    }
    per_frame(conv, x.pad((0, PADDING, 0, PADDING), PadMode::Constant(0.0)), 2, 0)
}

/// Rows and columns 1, 3, 5 and so on.
fn odd_positions(x: Tensor<5>) -> Tensor<5> {
    let [batch, channels, frames, height, width] = x.dims();
    let (rows, columns) = (height / 2, width / 2);
    let even = x.narrow(3, 0, 2 * rows).narrow(4, 0, 2 * columns);
    let pairs = even.reshape([batch * channels * frames, rows, 2, columns, 2]);
    pairs.narrow(2, 1, 1).narrow(4, 1, 1).reshape([batch, channels, frames, rows, columns])
}

fn kernel<const D: usize>(weight: Tensor<D>, bias: &Option<Param<Tensor<1>>>) -> Kernel {
    Kernel::new(weight, bias.as_ref().map(|bias| bias.val()))
}

/// The 2-D kernel as a 3-D one of a single frame: frames stay where they are, no transposition.
fn per_frame(conv: &Conv2d, x: Tensor<5>, stride: usize, padding: usize) -> Tensor<5> {
    let weight = conv.weight.val().unsqueeze_dim(2);
    let bias = conv.bias.as_ref().map(|bias| bias.val());
    conv3d(x, weight, bias, ConvOptions::new([1, stride, stride], [0, padding, padding], [1; 3], 1))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};
    use proptest::prelude::*;

    use super::*;

    const CHANNELS: usize = 2;

    fn noise(frames: usize) -> Tensor<5> {
        Tensor::random([1, CHANNELS, frames, 4, 5], Distribution::Uniform(-1.0, 1.0), &Device::flex())
    }

    fn conv() -> CausalConv {
        CausalConv::new([CHANNELS, 3], &Device::flex())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_frame_changes_nothing_before_it(frames in 1usize..9, changed in 0usize..9) {
            prop_assume!(0 < changed && changed < frames);
            let (conv, x) = (conv(), noise(frames));
            let other = Tensor::cat(vec![x.clone().narrow(2, 0, changed), noise(frames - changed)], 2);
            let run = |x| conv.forward(x, &mut TimeCache::default());
            let (before, after) = (run(x), run(other));
            let past = |y: &Tensor<5>| y.clone().narrow(2, 0, changed).into_data();
            prop_assert_eq!(past(&before), past(&after));
            prop_assert_ne!(before.into_data(), after.into_data());
        }

        #[test]
        fn in_batches_is_as_at_once(lengths in proptest::collection::vec(1usize..5, 1..5)) {
            let conv = conv();
            let x = noise(lengths.iter().sum());
            let whole = conv.forward(x.clone(), &mut TimeCache::default());
            let mut cache = TimeCache::default();
            let mut start = 0;
            let mut parts = Vec::new();
            for (index, length) in lengths.iter().enumerate() {
                cache.start_batch(index + 1 == lengths.len());
                parts.push(conv.forward(x.clone().narrow(2, start, *length), &mut cache));
                start += length;
            }
            let joined = Tensor::cat(parts, 2).into_data();
            joined.assert_approx_eq::<f32>(&whole.into_data(), Tolerance::absolute(1e-6));
        }
    }
}
