//! GELU in one pass.

use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::exp2_nonpositive;
use super::{elements, tensor};

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// GELU, tanh approximation, of every element.
///
/// # Shapes
/// Any in, the same out.
pub(crate) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let (shape, dtype, device) = (x.dims(), x.dtype(), x.device());
    let mut values = elements(x);
    values.par_chunks_mut(CHUNK).for_each(|chunk| Arch::new().dispatch(Gelu(chunk)));
    tensor(values, shape, dtype, &device)
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_mut_simd_f32s(self.0);
        for x in vectors {
            *x = gelu(simd, *x);
        }
        if !rest.is_empty() {
            let x = simd.partial_load_f32s(rest);
            simd.partial_store_f32s(rest, gelu(simd, x));
        }
    }
}

/// `x sigmoid(2 u)` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// `2 sqrt(2 / pi) / ln(2)`: the exponent in powers of two.
    const SLOPE: f32 = 2.302_208_2;
    const CUBIC: f32 = 0.044_715;
    let one = simd.splat_f32s(1.0);
    let square = simd.mul_f32s(x, x);
    let inner = simd.mul_f32s(x, simd.mul_add_f32s(square, simd.splat_f32s(CUBIC), one));
    let inner = simd.mul_f32s(inner, simd.splat_f32s(SLOPE));
    // sigmoid(u) = 1 / (1 + e^-u) for u >= 0 and e^u / (1 + e^u) below: never a large power.
    let negative = simd.min_f32s(inner, simd.neg_f32s(inner));
    let power = exp2_nonpositive(simd, negative);
    let below = simd.less_than_f32s(inner, simd.splat_f32s(0.0));
    let numerator = simd.select_f32s(below, power, one);
    simd.mul_f32s(x, simd.div_f32s(numerator, simd.add_f32s(one, power)))
}
