//! Convolutions in this process's memory, every sum taken in the order in which XNNPACK takes it.
//!
//! MediaPipe runs its networks with XNNPACK, whose convolutions begin with the bias and take one product after the other,
//! fused: a dense kernel row by row, column by column, channel by channel, a depthwise one column by column. In that order
//! the sums here are the same *to the bit*, on every processor with fused products. It matters in video mode, where the next
//! crop follows from the last landmarks, and a difference in the last bit grows to hundredths of a pixel.
//!
//! It serves devices whose memory is the host's; elsewhere, Burn convolves. Both are the same to rounding.

use burn::tensor::{Device, Tensor, TensorData};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use skyreels_core::device::Backend;

/// Output channels that a product keeps in registers, and vectors of neighbouring pixels of each, where there are 32 registers
/// and where there are 16.
const ROWS: usize = 4;
const VECTORS: [usize; 2] = [4, 2];
const MANY_REGISTERS: usize = 32;
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

/// Where a kernel stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Zeros above and on the left.
    pub(super) padding: [usize; 2],
    /// Rows and columns of the result.
    pub(super) out: [usize; 2],
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
            Kind::Product => self.product(&x, &mut out),
            Kind::Depthwise(window) => {
                let multiplier = self.bias.len() / channels;
                let plane = |channel: usize| &x[channel / multiplier * height * width..][..height * width];
                self.depthwise(window, |channel| Phases::new(plane(channel), width, window), &mut out);
            }
        }
        if self.relu {
            out.iter_mut().for_each(|value| *value = value.max(0.0));
        }
        Tensor::from_data(TensorData::new(out, [1, self.bias.len(), rows, columns]), &device)
    }

    /// `out[row][pixel] = bias[row] + weight[row] x[..][pixel]`.
    fn product(&self, x: &[f32], out: &mut [f32]) {
        let inputs = self.weight.len() / self.bias.len();
        let pixels = x.len() / inputs;
        let arch = Arch::new();
        // Every task writes out its own tiles of `x`, which many rows should share.
        let share = self.bias.len().div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS);
        let rows = share.max(at_least(pixels * inputs).next_multiple_of(ROWS));
        let (weights, biases) = (self.weight.par_chunks(rows * inputs), self.bias.par_chunks(rows));
        out.par_chunks_mut(rows * pixels).zip(weights.zip(biases)).for_each(|(out, (weight, bias))| {
            arch.dispatch(Rows { weight, bias, x, inputs, pixels, out });
        });
    }

    /// Every channel on its own.
    fn depthwise(&self, window: Window, plane: impl Fn(usize) -> Phases + Sync, out: &mut [f32]) {
        let arch = Arch::new();
        let (pixels, taps) = (window.out[0] * window.out[1], window.kernel[0] * window.kernel[1]);
        let channels = out.par_chunks_mut(pixels).enumerate();
        channels.with_min_len(at_least(pixels * taps)).for_each(|(channel, out)| {
            let weight: Vec<f32> = self.weight.iter().skip(channel).step_by(self.bias.len()).copied().collect();
            let (plane, bias) = (&plane(channel), self.bias[channel]);
            arch.dispatch(Channel { taps: Taps { weight: &weight, bias, plane, window }, out });
        });
    }
}

/// How many pieces of `work` products a thread takes at once: fewer are not worth waking another one.
fn at_least(work: usize) -> usize {
    (WORTH_A_THREAD / work.max(1)).max(1)
}

/// A channel with zeros around it, its columns sorted by their place in a stride, so that the pixels under one weight are
/// neighbours.
struct Phases {
    data: Vec<f32>,
    stride: usize,
    /// Columns of each phase.
    columns: usize,
}

impl Phases {
    fn new(plane: &[f32], width: usize, window: Window) -> Self {
        let stride = window.stride[1];
        let [height, padded_width] =
            [0, 1].map(|axis| (window.out[axis] - 1) * window.stride[axis] + window.kernel[axis]);
        let columns = padded_width.div_ceil(stride);
        let mut data = vec![0.0; height * stride * columns];
        let rows = data.chunks_exact_mut(stride * columns).skip(window.padding[0]);
        for (to, from) in rows.zip(plane.chunks_exact(width)) {
            // What no window reaches is left out.
            let from = &from[..width.min(padded_width - window.padding[1])];
            for phase in 0..stride {
                let skipped = (phase + stride - window.padding[1] % stride) % stride;
                let to = &mut to[phase * columns + (window.padding[1] + skipped) / stride..];
                to.iter_mut().zip(from.iter().skip(skipped).step_by(stride)).for_each(|(to, from)| *to = *from);
            }
        }
        Self { data, stride, columns }
    }

    /// The pixels of a row that column `kx` of the kernel meets.
    #[inline(always)]
    fn row(&self, y: usize, kx: usize) -> &[f32] {
        let phase = (y * self.stride + kx % self.stride) * self.columns;
        &self.data[phase + kx / self.stride..phase + self.columns]
    }
}

/// One channel of a depthwise convolution.
struct Channel<'a> {
    taps: Taps<'a>,
    out: &'a mut [f32],
}

/// What a channel of a depthwise convolution sums up; its weights row by row.
#[derive(Clone, Copy)]
struct Taps<'a> {
    weight: &'a [f32],
    bias: f32,
    plane: &'a Phases,
    window: Window,
}

impl WithSimd for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { taps, out } = self;
        let lanes = S::F32_LANES;
        for (y, out) in out.chunks_exact_mut(taps.window.out[1]).enumerate() {
            let whole = out.len() / lanes * lanes;
            let (vectors, rest) = out.split_at_mut(whole);
            for (index, out) in S::as_mut_simd_f32s(vectors).0.iter_mut().enumerate() {
                let first = index * lanes;
                *out = taps.sum(simd, y, |row| S::as_simd_f32s(&row[first..first + lanes]).0[0]);
            }
            if !rest.is_empty() {
                let sum = taps.sum(simd, y, |row| simd.partial_load_f32s(&row[whole..whole + rest.len()]));
                simd.partial_store_f32s(rest, sum);
            }
        }
    }
}

impl Taps<'_> {
    /// Bias, then one fused product after the other, column by column.
    #[inline(always)]
    fn sum<S: Simd>(&self, simd: S, y: usize, load: impl Fn(&[f32]) -> S::f32s) -> S::f32s {
        let Window { kernel: [kernel_height, kernel_width], stride, .. } = self.window;
        let mut sum = simd.splat_f32s(self.bias);
        for kx in 0..kernel_width {
            for ky in 0..kernel_height {
                let weight = simd.splat_f32s(self.weight[ky * kernel_width + kx]);
                sum = simd.mul_add_f32s(load(self.plane.row(y * stride[0] + ky, kx)), weight, sum);
            }
        }
        sum
    }
}

/// Output channels of a product.
struct Rows<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    x: &'a [f32],
    inputs: usize,
    pixels: usize,
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.pixels <= S::F32_LANES {
            self.run::<S, 1>(simd);
        } else if S::REGISTER_COUNT >= MANY_REGISTERS {
            self.run::<S, { VECTORS[0] }>(simd);
        } else {
            self.run::<S, { VECTORS[1] }>(simd);
        }
    }
}

impl Rows<'_> {
    /// In tiles of `V` vectors of pixels.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let Self { weight, bias, x, inputs, pixels, out } = self;
        let width = V * S::F32_LANES;
        let mut tile = vec![0.0; inputs * width];
        for pixel in (0..pixels).step_by(width) {
            let count = width.min(pixels - pixel);
            // Pixels of different channels lie a whole picture apart, often a power of two, which caches do not like.
            for (to, from) in tile.chunks_exact_mut(width).zip(x.chunks_exact(pixels)) {
                match from[pixel..].get(..width) {
                    Some(from) => to.copy_from_slice(from),
                    None => to[..count].copy_from_slice(&from[pixel..]),
                }
            }
            let tile = S::as_simd_f32s(&tile).0;
            let weights = weight.chunks(ROWS * inputs).zip(bias.chunks(ROWS));
            for (out, (weight, bias)) in out.chunks_mut(ROWS * pixels).zip(weights) {
                let store = |row: usize, sums: [S::f32s; V], out: &mut [f32]| {
                    let out = &mut out[row * pixels + pixel..][..count];
                    if count == width {
                        S::as_mut_simd_f32s(out).0.copy_from_slice(&sums);
                    } else {
                        let vectors = out.chunks_mut(S::F32_LANES).zip(sums);
                        vectors.for_each(|(out, sum)| simd.partial_store_f32s(out, sum));
                    }
                };
                match bias.len() {
                    ROWS => {
                        let sums = sums::<S, V, ROWS>(simd, weight, bias, tile);
                        sums.into_iter().enumerate().for_each(|(row, sums)| store(row, sums, out));
                    }
                    rows => (0..rows).for_each(|row| {
                        let weight = &weight[row * inputs..][..inputs];
                        let [sums] = sums::<S, V, 1>(simd, weight, &bias[row..], tile);
                        store(row, sums, out);
                    }),
                }
            }
        }
    }
}

/// `R` rows of a tile: bias, then one fused product after the other.
#[inline(always)]
fn sums<S: Simd, const V: usize, const R: usize>(
    simd: S,
    weight: &[f32],
    bias: &[f32],
    tile: &[S::f32s],
) -> [[S::f32s; V]; R] {
    let inputs = tile.len() / V;
    let mut sums: [[S::f32s; V]; R] = std::array::from_fn(|row| [simd.splat_f32s(bias[row]); V]);
    let weights: [&[f32]; R] = std::array::from_fn(|row| &weight[row * inputs..][..inputs]);
    for (input, x) in tile.as_chunks::<V>().0.iter().enumerate() {
        for (sums, weights) in sums.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(weights[input]);
            for (sum, x) in sums.iter_mut().zip(x) {
                *sum = simd.mul_add_f32s(*x, weight, *sum);
            }
        }
    }
    sums
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
