//! The VAE's hot path on the CPU: norm, activation, padding and convolution on plain slices.
//!
//! What takes the tensor path six passes over memory and a matrix of patches takes two here. It
//! serves f32 tensors without gradients of backends whose memory is the host's (`flex` hands it over
//! without a copy); everything else takes the tensor path. Both give the same numbers to rounding,
//! except that the convolution of the `ndarray` backend rounds so coarsely that a norm of flat frames
//! shows it.

mod conv;
pub(crate) mod gradient;
mod moments;
mod padded;
mod silu;

use burn::tensor::{DType, Device, Tensor, TensorData};
use padded::{Modulation, Padded};
use skyreels_core::device::Backend;

use crate::norm::Norm;
use crate::pass::TimeCache;

/// True when `x` can take this path.
pub(crate) fn serves(x: &Tensor<5>) -> bool {
    let device = x.device();
    x.dtype() == DType::F32 && !device.is_autodiff() && Backend::of(&device).is_host()
}

/// A clip in host memory.
pub(crate) struct Clip {
    shape: [usize; 5],
    data: Vec<f32>,
    device: Device,
}

/// Weight `[to, from, times, 3, 3]` (`times` absent for a convolution per frame) and bias of a
/// convolution.
pub(crate) struct Kernel {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Kernel {
    pub(crate) fn new<const D: usize>(weight: Tensor<D>, bias: Option<Tensor<1>>) -> Self {
        let to = weight.dims()[0];
        Self { weight: values(weight), bias: bias.map_or_else(|| vec![0.0; to], values) }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("only f32 tensors come here")
}

impl Clip {
    pub(crate) fn new(x: Tensor<5>) -> Self {
        Self { shape: x.dims(), device: x.device(), data: values(x) }
    }

    pub(crate) fn into_tensor(self) -> Tensor<5> {
        Tensor::from_data(TensorData::new(self.data, self.shape), &self.device)
    }

    fn tensor<const D: usize>(&self, data: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(data, shape), &self.device)
    }

    /// Zeros with other channels.
    fn zeros(&self, channels: usize) -> Self {
        let mut shape = self.shape;
        shape[1] = channels;
        Self { shape, data: vec![0.0; shape.iter().product()], device: self.device.clone() }
    }

    /// The causal convolution of the clip.
    pub(crate) fn conv(&self, kernel: &Kernel, past: usize, cache: &mut TimeCache) -> Self {
        let mut sum = self.zeros(kernel.bias.len());
        let mut input = self.room(past);
        let [_, _, frames, height, width] = self.shape;
        input.fill(past, |channel, frame, y, row| {
            let start = ((channel * frames + frame) * height + y) * width;
            row.copy_from_slice(&self.data[start..start + width]);
        });
        self.add_conv(input, kernel, past, cache, &mut sum);
        sum
    }

    /// The causal convolution of the SiLU of the norm of the clip, added to `sum` if there is one.
    pub(crate) fn activated_conv<N: Norm>(
        &self,
        norm: &N,
        guide: &N::Guide,
        kernel: &Kernel,
        past: usize,
        cache: &mut TimeCache,
        sum: Option<Self>,
    ) -> Self {
        let mut sum = sum.unwrap_or_else(|| self.zeros(kernel.bias.len()));
        let modulation = self.modulation(norm, guide);
        let mut input = self.room(past);
        input.fill_activated(past, &self.data, &modulation);
        self.add_conv(input, kernel, past, cache, &mut sum);
        sum
    }

    /// A convolution of every frame at twice its size.
    pub(crate) fn doubled_conv(self, kernel: &Kernel) -> Self {
        let [batch, channels, frames, height, width] = self.shape;
        let shape = [batch, channels, frames, 2 * height, 2 * width];
        let mut input = Padded::new(shape);
        input.fill_doubled(0, &self.data);
        let mut output = Self { shape, data: Vec::new(), device: self.device }.zeros(kernel.bias.len());
        drop(self.data);
        conv::add_conv(&input, &kernel.weight, &kernel.bias, &mut output.data);
        output
    }

    /// An input of the clip's size with room for `past` frames before it.
    fn room(&self, past: usize) -> Padded {
        let [batch, channels, frames, height, width] = self.shape;
        Padded::new([batch, channels, past + frames, height, width])
    }

    fn add_conv(&self, mut input: Padded, kernel: &Kernel, past: usize, cache: &mut TimeCache, sum: &mut Self) {
        let [batch, channels, _, height, width] = self.shape;
        let slot = cache.next_slot();
        match cache.past(slot) {
            Some(frames) => input.fill_past(&values(frames), past),
            None => input.repeat_into_past(past),
        }
        cache.keep(slot, || self.tensor(input.last(past), [batch, channels, past, height, width]));
        conv::add_conv(&input, &kernel.weight, &kernel.bias, &mut sum.data);
    }

    fn modulation<N: Norm>(&self, norm: &N, guide: &N::Guide) -> Modulation {
        let [batch, channels, frames, height, width] = self.shape;
        let groups = norm.groups();
        let (mean, variance) = moments::moments(&self.data, channels / groups * frames * height * width);
        let shape = [batch, groups, 1];
        let (gain, offset) = norm.modulation(self.tensor(mean, shape), self.tensor(variance, shape), guide);
        let [_, _, small_frames, small_height, small_width] = gain.dims();
        Modulation { gain: values(gain), offset: values(offset), sizes: [small_frames, small_height, small_width] }
    }
}
