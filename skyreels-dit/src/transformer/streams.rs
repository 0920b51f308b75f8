//! Norms and gates of joined tokens, and their gradients.

use burn::tensor::{DType, Tensor};

use crate::host;

/// Joined tokens, `[batch, identity tokens + video tokens, width]`: the identity tokens of a batch entry share one vector of a
/// modulation, the video tokens another. Vectors are `[batch, 2, width]`, f32, those of the identity first.
///
/// Tensors are without gradients: this is the arithmetic of a forward and a backward pass that are written out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    pub identity_tokens: usize,
}

impl Streams {
    /// `norm(x) gain + offset`, in f32; the result has the type of `x`.
    pub(super) fn norm(self, x: Tensor<3>, gain: Tensor<3>, offset: Tensor<3>, epsilon: f64) -> Tensor<3> {
        if host::serves(&x.device()) {
            return host::norm_rows(x, gain, offset, self.identity_tokens, epsilon);
        }
        let ([_, rows, _], dtype) = (x.dims(), x.dtype());
        let (normed, _) = normed(x, epsilon);
        (normed * self.spread(gain, rows) + self.spread(offset, rows)).cast(dtype)
    }

    /// Gradients of `sum(norm(x, gain, offset) * cotangent)` with respect to `x`, `gain` and `offset`.
    pub(super) fn norm_gradients(
        self,
        x: Tensor<3>,
        gain: Tensor<3>,
        cotangent: Tensor<3>,
        epsilon: f64,
    ) -> [Tensor<3>; 3] {
        if host::serves(&x.device()) {
            return host::norm_rows_gradients(x, gain, cotangent, self.identity_tokens, epsilon);
        }
        let ([_, rows, _], dtype) = (x.dims(), x.dtype());
        let (normed, scale) = normed(x, epsilon);
        let cotangent = cotangent.cast(DType::F32);
        let vectors = [self.gathered(cotangent.clone() * normed.clone()), self.gathered(cotangent.clone())];
        let inner = cotangent * self.spread(gain, rows);
        let level = inner.clone().mean_dim(2);
        let slope = (inner.clone() * normed.clone()).mean_dim(2);
        let found = (inner - level - normed * slope) * scale;
        let [to_gain, to_offset] = vectors;
        [found.cast(dtype), to_gain, to_offset]
    }

    /// `x + gate y`.
    pub(super) fn gate(self, x: Tensor<3>, y: Tensor<3>, gate: Tensor<3>) -> Tensor<3> {
        if host::serves(&x.device()) {
            return host::gate_rows(x, y, gate, self.identity_tokens);
        }
        let ([_, rows, _], dtype) = (x.dims(), x.dtype());
        x + y * self.spread(gate, rows).cast(dtype)
    }

    /// Gradients of `sum(gate(x, y, gate) * cotangent)` with respect to `y` and `gate`.
    pub(super) fn gate_gradients(self, y: Tensor<3>, gate: Tensor<3>, cotangent: Tensor<3>) -> [Tensor<3>; 2] {
        if host::serves(&y.device()) {
            return host::gate_rows_gradients(y, gate, cotangent, self.identity_tokens);
        }
        let ([_, rows, _], dtype) = (y.dims(), y.dtype());
        let to_gate = self.gathered(y.cast(DType::F32) * cotangent.clone().cast(DType::F32));
        [cotangent * self.spread(gate, rows).cast(dtype), to_gate]
    }

    /// Each token's vector.
    fn spread(self, vectors: Tensor<3>, rows: usize) -> Tensor<3> {
        let [batch, _, width] = vectors.dims();
        let parts = self.parts(rows).enumerate().filter(|(_, (_, count))| *count > 0);
        let part = |(index, (_, count))| vectors.clone().narrow(1, index, 1).expand([batch, count, width]);
        Tensor::cat(parts.map(part).collect(), 1)
    }

    /// Sums over the tokens that share a vector.
    fn gathered(self, x: Tensor<3>) -> Tensor<3> {
        let [batch, rows, width] = x.dims();
        let part = |(start, count)| match count {
            0 => Tensor::zeros([batch, 1, width], (&x.device(), DType::F32)),
            _ => x.clone().narrow(1, start, count).sum_dim(1),
        };
        Tensor::cat(self.parts(rows).map(part).collect(), 1)
    }

    fn parts(self, rows: usize) -> impl Iterator<Item = (usize, usize)> {
        let first = self.identity_tokens.min(rows);
        [(0, first), (first, rows - first)].into_iter()
    }
}

/// Rows of mean 0 and deviation 1, and one over the deviation they had; f32.
fn normed(x: Tensor<3>, epsilon: f64) -> (Tensor<3>, Tensor<3>) {
    let x = x.cast(DType::F32);
    let centred = x.clone() - x.mean_dim(2);
    let scale = centred.clone().square().mean_dim(2).add_scalar(epsilon).sqrt().recip();
    (centred * scale.clone(), scale)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;
    use skyreels_core::diffusion::NoiseGenerator;

    use super::*;

    fn difference(a: Tensor<3>, b: Tensor<3>) -> f32 {
        let size = b.clone().abs().max().into_scalar::<f32>().max(1e-3);
        (a - b).abs().max().into_scalar::<f32>() / size
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn one_pass_and_automatic_differentiation_agree(
            batch in 1_usize..3, identity_tokens in 0_usize..3, video in 1_usize..300, width in 1_usize..70, seed: u64,
        ) {
            let (device, streams) = (Device::flex(), Streams { identity_tokens });
            let mut random = NoiseGenerator::new(seed);
            let mut noise = |rows| -> Tensor<3> { random.normal([batch, rows, width], &device) };
            let rows = identity_tokens + video;
            let (x, y, cotangent) = (noise(rows), noise(rows), noise(rows));
            let (gain, offset) = (noise(2), noise(2));
            // Plain operations on a device with automatic differentiation.
            let [tracked_x, tracked_y, tracked_gain, tracked_offset] =
                [&x, &y, &gain, &offset].map(|tensor| Tensor::from_inner(tensor.clone()).require_grad());
            let weighted = |value: Tensor<3>| (value * Tensor::from_inner(cotangent.clone())).sum().backward();
            let epsilon = 1e-5;

            let value = streams.norm(tracked_x.clone(), tracked_gain.clone(), tracked_offset.clone(), epsilon);
            let ours = streams.norm(x.clone(), gain.clone(), offset, epsilon);
            prop_assert!(difference(ours, value.clone().inner()) < 1e-4);
            let gradients = weighted(value);
            let ours = streams.norm_gradients(x.clone(), gain.clone(), cotangent.clone(), epsilon);
            for (ours, leaf) in ours.into_iter().zip([&tracked_x, &tracked_gain, &tracked_offset]) {
                prop_assert!(difference(ours, leaf.grad(&gradients).unwrap()) < 1e-3);
            }

            let value = streams.gate(tracked_x, tracked_y.clone(), tracked_gain.clone());
            prop_assert!(difference(streams.gate(x, y.clone(), gain.clone()), value.clone().inner()) < 1e-5);
            let gradients = weighted(value);
            let ours = streams.gate_gradients(y, gain, cotangent.clone());
            for (ours, leaf) in ours.into_iter().zip([&tracked_y, &tracked_gain]) {
                prop_assert!(difference(ours, leaf.grad(&gradients).unwrap()) < 1e-4);
            }
        }
    }
}
