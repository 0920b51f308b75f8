//! The interpreter on networks written here: right answers on every clone, and faults instead of panics.

use burn::tensor::Device;
use proptest::prelude::*;

use super::sample::{Node, Tensor, Value, model};
use super::{Fault, Network};

const ADD: i32 = 0;
const CONV: i32 = 3;
const DEPTHWISE: i32 = 4;
const DEQUANTIZE: i32 = 6;
const MAX_POOL: i32 = 17;
const RESHAPE: i32 = 22;
const MEAN: i32 = 40;
const STRIDED_SLICE: i32 = 45;

fn read(tensors: &[Tensor], nodes: &[Node]) -> Result<Network, Fault> {
    Network::read(&model(tensors, nodes), &Device::flex())
}

/// What a network answers in host memory, and where Burn convolves.
fn answers(tensors: &[Tensor], nodes: &[Node], x: &[f32]) -> [Vec<f32>; 2] {
    [Device::flex(), Device::flex().autodiff()].map(|device| {
        let network = Network::read(&model(tensors, nodes), &device).unwrap();
        network.run(x.to_vec()).unwrap().remove(0)
    })
}

fn node(code: i32, inputs: &[i32], output: i32, options: &[(usize, Value)]) -> Node {
    Node { code, inputs: inputs.to_vec(), output, options: options.to_vec() }
}

/// A window over a picture: side of the kernel, stride, whether the padding is SAME.
#[derive(Debug, Clone, Copy)]
struct Window {
    kernel: usize,
    stride: usize,
    same: bool,
}

impl Window {
    fn options(self) -> [(usize, Value); 3] {
        let stride = Value::I32(self.stride as i32);
        [(0, Value::I8(i8::from(!self.same))), (1, stride.clone()), (2, stride)]
    }

    /// Zeros before, and number of results.
    fn extent(self, size: usize) -> (usize, usize) {
        if self.same {
            let out = size.div_ceil(self.stride);
            (((out - 1) * self.stride + self.kernel).saturating_sub(size) / 2, out)
        } else {
            (0, (size - self.kernel) / self.stride + 1)
        }
    }
}

/// Deterministic values in -1..1.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The definition of a convolution; `x` channels first, `weight` `[out, k, k, in]` or `[1, k, k, channels]`.
fn convolve(x: &[f32], [c, h, w]: [usize; 3], weight: &[f32], out: usize, window: Window, depthwise: bool) -> Vec<f32> {
    let ((top, rows), (left, columns)) = (window.extent(h), window.extent(w));
    let k = window.kernel;
    let mut result = Vec::new();
    for y in 0..rows {
        for column in 0..columns {
            for o in 0..out {
                let mut sum = 0.0;
                for (ky, kx) in (0..k * k).map(|i| (i / k, i % k)) {
                    let sy = (y * window.stride + ky).checked_sub(top).filter(|&v| v < h);
                    let sx = (column * window.stride + kx).checked_sub(left).filter(|&v| v < w);
                    let (Some(sy), Some(sx)) = (sy, sx) else { continue };
                    if depthwise {
                        sum += x[(o * h + sy) * w + sx] * weight[(ky * k + kx) * c + o];
                    } else {
                        let taps = (0..c).map(|i| x[(i * h + sy) * w + sx] * weight[((o * k + ky) * k + kx) * c + i]);
                        sum += taps.sum::<f32>();
                    }
                }
                result.push(sum);
            }
        }
    }
    result
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} is not {b}");
    }
}

#[test]
fn every_kind_of_convolution_is_a_convolution() {
    let [c, h, w, out] = [3, 6, 8, 5];
    for (kernel, stride, same) in
        [(1, 1, false), (3, 1, true), (3, 2, true), (2, 2, false), (5, 2, true), (2, 2, true), (3, 2, false)]
    {
        let window = Window { kernel, stride, same };
        for (depthwise, first) in [(false, true), (false, false), (true, true)] {
            let out = if depthwise { c } else { out };
            let count = if depthwise { kernel * kernel * c } else { out * kernel * kernel * c };
            let (x, weight) = (noise(c * h * w, 3), noise(count, 7));
            let k = kernel as i32;
            let shape = if depthwise { [1, k, k, c as i32] } else { [out as i32, k, k, c as i32] };
            let mut tensors = vec![
                Tensor::value(&[1, h as i32, w as i32, c as i32]),
                Tensor::f32(&shape, &weight),
                Tensor::value(&[]),
                Tensor::value(&[]),
            ];
            let code = if depthwise { DEPTHWISE } else { CONV };
            // With an addition before it, the convolution does not see the input itself.
            let mut nodes = vec![node(code, &[if first { 0 } else { 3 }, 1], 2, &window.options())];
            if !first {
                tensors.push(Tensor::f32(&[1], &[0.0]));
                nodes.insert(0, node(ADD, &[0, 4], 3, &[]));
            }
            for found in answers(&tensors, &nodes, &x) {
                assert_close(&found, &convolve(&x, [c, h, w], &weight, out, window, depthwise));
            }
        }
    }
}

#[test]
fn a_kernel_as_large_as_the_picture_weighs_every_pixel() {
    let (x, weight) = (noise(2 * 3 * 4, 1), noise(5 * 3 * 4 * 2, 2));
    let tensors = [
        Tensor::value(&[1, 3, 4, 2]),
        Tensor::f32(&[5, 3, 4, 2], &weight),
        Tensor::value(&[]),
        Tensor::value(&[]),
        Tensor::f32(&[5], &[1.0; 5]),
    ];
    let window = [(0, Value::I8(1)), (1, Value::I32(1)), (2, Value::I32(1))];
    let nodes = [node(ADD, &[0, 0], 3, &[]), node(CONV, &[3, 1, 4], 2, &window)];
    for found in answers(&tensors, &nodes, &x) {
        for (o, &value) in found.iter().enumerate() {
            let product: f32 = (0..24).map(|i| 2.0 * x[i] * weight[o * 24 + i % 12 * 2 + i / 12]).sum();
            assert!((value - product - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn pooling_takes_the_largest_of_each_window() {
    for (kernel, stride, same) in [(2, 2, false), (2, 2, true), (3, 2, true), (2, 1, false)] {
        let window = Window { kernel, stride, same };
        let (x, [c, h, w]) = (noise(2 * 6 * 4, 5), [2, 6, 4]);
        let k = Value::I32(kernel as i32);
        let options = [&window.options()[..], &[(3, k.clone()), (4, k)]].concat();
        let tensors = [Tensor::value(&[1, 6, 4, 2]), Tensor::value(&[])];
        let found = read(&tensors, &[node(MAX_POOL, &[0], 1, &options)]).unwrap().run(x.clone()).unwrap();
        let ((top, rows), (left, columns)) = (window.extent(h), window.extent(w));
        let mut expected = Vec::new();
        for (y, column) in (0..rows * columns).map(|i| (i / columns, i % columns)) {
            for channel in 0..c {
                let inside = |i: usize| {
                    let sy = (y * stride + i / kernel).checked_sub(top).filter(|&v| v < h)?;
                    let sx = (column * stride + i % kernel).checked_sub(left).filter(|&v| v < w)?;
                    Some(x[(channel * h + sy) * w + sx])
                };
                expected.push((0..kernel * kernel).filter_map(inside).fold(f32::MIN, f32::max));
            }
        }
        assert_eq!(found[0], expected);
    }
}

#[test]
fn half_precision_constants_are_folded_and_ranks_below_four_align_on_the_right() {
    // mean over rows of ([2, 3] + [3]), kept, dropped, and sliced.
    let tensors = [
        Tensor::value(&[2, 3]),
        Tensor::f16(&[3], &[1.0, 2.0, 3.0]),
        Tensor::value(&[3]),
        Tensor::value(&[]),
        Tensor::i32(&[0]),
        Tensor::value(&[]),
        Tensor::i32(&[1]),
        Tensor::i32(&[3]),
        Tensor::i32(&[1]),
        Tensor::value(&[]),
        Tensor::i32(&[-1, 1]),
        Tensor::value(&[]),
    ];
    let nodes = [
        node(DEQUANTIZE, &[1], 2, &[]),
        node(ADD, &[0, 2], 3, &[]),
        node(MEAN, &[3, 4], 5, &[]),
        node(STRIDED_SLICE, &[5, 6, 7, 8], 9, &[]),
        node(RESHAPE, &[9, 10], 11, &[]),
    ];
    let network = read(&tensors, &nodes).unwrap();
    // Channels first: the three channels of the last axis, each with its two rows.
    let found = network.run(vec![0.0, 10.0, 20.0, 30.0, 40.0, 50.0]).unwrap();
    assert_eq!(found, [[25.0 + 2.0, 45.0 + 3.0]]);
    assert_eq!(network.output_sizes(), [2]);
}

#[test]
fn what_does_not_fit_is_a_fault() {
    let picture = Tensor::value(&[1, 4, 4, 2]);
    let window = Window { kernel: 1, stride: 1, same: false }.options();
    let weight = Tensor::f32(&[3, 1, 1, 2], &[0.0; 6]);
    let fault = |tensors: &[Tensor], node: Node| match read(tensors, &[node]) {
        Err(Fault::Malformed(reason) | Fault::Unsupported(reason)) => reason,
        Ok(_) => panic!("accepted"),
    };
    let cases = [
        (vec![picture.clone(), Tensor::value(&[])], node(123, &[0], 1, &[]), "operator code 123"),
        (vec![picture.clone(), Tensor::value(&[])], node(ADD, &[0, 1], 1, &[]), "before anything computes it"),
        (vec![picture.clone(), Tensor::value(&[])], node(ADD, &[0], 1, &[]), "input 1 is missing"),
        (vec![picture.clone(), Tensor::value(&[])], node(ADD, &[0, 9], 1, &[]), "no tensor 9"),
        (vec![picture.clone(), Tensor::value(&[])], node(ADD, &[0, 0], 0, &[]), "computed twice"),
        (
            vec![picture.clone(), Tensor::f32(&[3], &[0.0; 3]), Tensor::value(&[])],
            node(ADD, &[0, 1], 2, &[]),
            "do not broadcast",
        ),
        (
            vec![Tensor::value(&[1, 4, 4, 3]), weight.clone(), Tensor::value(&[])],
            node(CONV, &[0, 1], 2, &window),
            "does not fit",
        ),
        (
            vec![picture.clone(), weight.clone(), Tensor::value(&[])],
            node(CONV, &[0, 1], 2, &[(1, Value::I32(0))]),
            "stride 0",
        ),
        (
            vec![picture.clone(), Tensor::f32(&[7], &[0.0; 6]), Tensor::value(&[])],
            node(ADD, &[0, 1], 2, &[]),
            "a constant of shape [7] with 24 bytes",
        ),
        (vec![Tensor::value(&[1 << 30, 1 << 30, 4, 4])], node(ADD, &[0, 0], 0, &[]), "too large"),
        (vec![Tensor::value(&[-1, 4])], node(ADD, &[0, 0], 0, &[]), "negative"),
        (
            vec![picture.clone(), Tensor::i32(&[5, 7]), Tensor::value(&[])],
            node(RESHAPE, &[0, 1], 2, &[]),
            "cannot become",
        ),
        (vec![picture.clone(), Tensor::i32(&[4]), Tensor::value(&[])], node(MEAN, &[0, 1], 2, &[]), "axis 4"),
    ];
    for (tensors, node, expected) in cases {
        let reason = fault(&tensors, node);
        assert!(reason.contains(expected), "`{reason}` does not say `{expected}`");
    }
}

#[test]
fn broadcasts_that_multiply_without_end_are_refused() {
    // 64 x 64 x 64 x 64 values from four lists of 64, again and again.
    let mut tensors = vec![Tensor::value(&[1, 1, 1, 64])];
    for shape in [[1, 1, 64, 1], [1, 64, 1, 1], [64, 1, 1, 1]] {
        tensors.push(Tensor::f32(&shape, &[1.0; 64]));
    }
    let mut nodes = Vec::new();
    for i in 0..3 {
        tensors.push(Tensor::value(&[]));
        nodes.push(node(ADD, &[if i == 0 { 0 } else { 3 + i }, 1 + i], 4 + i, &[]));
    }
    for i in 7..40 {
        tensors.push(Tensor::value(&[]));
        nodes.push(node(ADD, &[i - 1, i - 1], i, &[]));
    }
    assert!(read(&tensors, &nodes).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_damaged_file_is_a_fault_or_a_network_that_runs(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let window = Window { kernel: 2, stride: 2, same: false }.options();
        let tensors = [
            Tensor::value(&[1, 4, 4, 2]),
            Tensor::f16(&[3, 2, 2, 2], &noise(24, 1)),
            Tensor::value(&[3, 2, 2, 2]),
            Tensor::value(&[1, 2, 2, 3]),
            Tensor::i32(&[1, 2]),
            Tensor::value(&[1, 3]),
        ];
        let nodes = [
            node(DEQUANTIZE, &[1], 2, &[]),
            node(CONV, &[0, 2], 3, &window),
            node(MEAN, &[3, 4], 5, &[]),
        ];
        let mut bytes = model(&tensors, &nodes);
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(network) = Network::read(&bytes, &Device::flex()) {
            let values = network.input_shape().iter().product();
            prop_assert!(network.run(vec![0.5; values]).is_ok());
        }
    }
}
