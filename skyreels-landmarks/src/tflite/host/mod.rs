//! Convolutions in this process's memory, every sum taken in the order in which XNNPACK takes it.
//!
//! MediaPipe runs its networks with XNNPACK, whose convolutions begin with the bias and take one product after the other,
//! fused: a dense kernel row by row, column by column, channel by channel, a depthwise one column by column. In that order
//! the sums here are the same *to the bit*, on every processor with fused products. It matters in video mode, where the next
//! crop follows from the last landmarks, and a difference in the last bit grows to hundredths of a pixel.
//!
//! It serves devices whose memory is the host's; elsewhere, Burn convolves. Both are the same to rounding.

mod depthwise;
mod product;

use burn::tensor::{Device, Tensor, TensorData};
use depthwise::{Phases, depthwise};
use product::product;
use pulp::Arch;
use skyreels_core::device::Backend;

pub(super) use depthwise::Window;

/// Products that take longer than to put a thread to sleep and to wake it.
const WORTH_A_THREAD: usize = 1 << 21;

/// True when convolutions on `device` can be computed here: its tensors lie in this process's memory, nobody asks for gradients,
/// and the processor fuses products and sums.
pub(super) fn serves(device: &Device) -> bool {
    !device.is_autodiff() && Backend::of(device).is_host() && !matches!(Arch::new(), Arch::Scalar)
}

/// A convolution with its weights.
pub(super) struct HostConv {
    pub(super) kind: Kind,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// Whether a ReLU follows.
    pub(super) relu: bool,
}

/// What the weights are multiplied with.
pub(super) enum Kind {
    /// All channels of one pixel; weight `[out, in]`.
    Product,
    /// The window around a pixel in one channel; weight `[kernel height, kernel width, out]`.
    Depthwise(Window),
}

impl HostConv {
    /// `[1, in, height, width]` to `[1, out, rows, columns]`.
    pub(super) fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let (device, [_, channels, height, width]) = (x.device(), x.dims());
        let x: Vec<f32> = x.into_data().try_into_vec().expect("values of a network are f32");
        let [rows, columns] = match self.kind {
            Kind::Product => [height, width],
            Kind::Depthwise(window) => window.out,
        };
        let mut out = vec![0.0; self.bias.len() * rows * columns];
        match self.kind {
            Kind::Product => product(&self.weight, &self.bias, &x, &mut out),
            Kind::Depthwise(window) => {
                let multiplier = self.bias.len() / channels;
                let plane = |channel: usize| &x[channel / multiplier * height * width..][..height * width];
                depthwise(
                    &self.weight,
                    &self.bias,
                    window,
                    |channel| Phases::new(plane(channel), width, window),
                    &mut out,
                );
            }
        }
        if self.relu {
            out.iter_mut().for_each(|value| *value = value.max(0.0));
        }
        Tensor::from_data(TensorData::new(out, [1, self.bias.len(), rows, columns]), &device)
    }
}

/// How many pieces of `work` products a thread takes at once: fewer are not worth waking another one.
fn at_least(work: usize) -> usize {
    (WORTH_A_THREAD / work.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::ConvOptions;
    use proptest::prelude::*;

    use super::*;

    fn noise(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_into_vec().unwrap()
    }

    fn near(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * (1.0 + b.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_product_takes_its_sums_in_order_and_is_a_convolution(
            inputs in 1usize..40, outputs in 1usize..12, height in 1usize..9, width in 1usize..40, relu: bool,
        ) {
            prop_assume!(serves(&Device::flex()));
            let (weight, bias) = (noise(inputs * outputs, 1), noise(outputs, 2));
            let conv = HostConv { kind: Kind::Product, weight: weight.clone(), bias: bias.clone(), relu };
            let (x, pixels) = (noise(inputs * height * width, 3), height * width);
            let found = values(conv.apply(tensor(&x, [1, inputs, height, width])));
            for (at, found) in found.iter().enumerate() {
                let (row, pixel) = (at / pixels, at % pixels);
                let taps = (0..inputs).map(|k| (x[k * pixels + pixel], weight[row * inputs + k]));
                let sum = taps.fold(bias[row], |sum, (x, weight)| x.mul_add(weight, sum));
                let sum = if relu { sum.max(0.0) } else { sum };
                prop_assert_eq!(found.to_bits(), sum.to_bits());
            }
            let (weight, bias) = (tensor(&weight, [outputs, inputs, 1, 1]), tensor(&bias, [outputs]));
            let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
            let plain = conv2d(tensor(&x, [1, inputs, height, width]), weight, Some(bias), options);
            let plain = values(if relu { burn::tensor::activation::relu(plain) } else { plain });
            prop_assert!(near(&found, &plain));
        }

        #[test]
        fn a_depthwise_convolution_is_burns(
            channels in 1usize..5, multiplier in 1usize..3, size in (5usize..20, 5usize..20), kernel in (1usize..5, 1usize..5),
            stride in (1usize..4, 1usize..4), before in (0usize..2, 0usize..2), after in (0usize..2, 0usize..2),
        ) {
            prop_assume!(serves(&Device::flex()));
            let (size, kernel, stride) = ([size.0, size.1], [kernel.0, kernel.1], [stride.0, stride.1]);
            let (before, after) = ([before.0, before.1], [after.0, after.1]);
            let out = [0, 1].map(|d| (size[d] + before[d] + after[d] - kernel[d]) / stride[d] + 1);
            let outputs = channels * multiplier;
            let (weight, bias) = (noise(kernel[0] * kernel[1] * outputs, 4), noise(outputs, 5));
            let kind = Kind::Depthwise(Window { kernel, stride, padding: before, out });
            let conv = HostConv { kind, weight: weight.clone(), bias: bias.clone(), relu: false };
            let x = tensor(&noise(channels * size[0] * size[1], 6), [1, channels, size[0], size[1]]);
            let weight = tensor(&weight, [1, kernel[0], kernel[1], outputs]).permute([3, 0, 1, 2]);
            let padding = [0, 1].map(|d| (before[d], after[d]));
            let options = ConvOptions::new_with_padding(stride, padding, [1, 1], channels);
            let plain = conv2d(x.clone(), weight, Some(tensor(&bias, [outputs])), options);
            prop_assert!(near(&values(conv.apply(x)), &values(plain)));
        }
    }
}
