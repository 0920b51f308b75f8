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

/// Slope and offset of GELU's tangent at every element: GELU is `slope * x + offset` there, and its derivative is the slope.
///
/// # Shapes
/// Any in, twice the same out.
pub(crate) fn gelu_tanh_tangent<const D: usize>(x: Tensor<D>) -> [Tensor<D>; 2] {
    let (shape, dtype, device) = (x.dims(), x.dtype(), x.device());
    let mut slopes = elements(x);
    let mut offsets = vec![0.0; slopes.len()];
    let chunks = slopes.par_chunks_mut(CHUNK).zip(offsets.par_chunks_mut(CHUNK));
    chunks.for_each(|(slopes, offsets)| Arch::new().dispatch(Tangent { slopes, offsets }));
    [slopes, offsets].map(|values| tensor(values, shape, dtype, &device))
}

struct Tangent<'a> {
    /// The elements, then the slopes at them.
    slopes: &'a mut [f32],
    offsets: &'a mut [f32],
}

impl WithSimd for Tangent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (slopes, rest) = S::as_mut_simd_f32s(self.slopes);
        let (offsets, rest_offsets) = S::as_mut_simd_f32s(self.offsets);
        for (x, offset) in slopes.iter_mut().zip(offsets) {
            [*x, *offset] = tangent(simd, *x);
        }
        if !rest.is_empty() {
            let [slope, offset] = tangent(simd, simd.partial_load_f32s(rest));
            simd.partial_store_f32s(rest, slope);
            simd.partial_store_f32s(rest_offsets, offset);
        }
    }
}

/// With `s = sigmoid(2 u)`: the slope is `s + x s (1 - s) 2 u'`, and `x s` less its product with `x` is left.
#[inline(always)]
fn tangent<S: Simd>(simd: S, x: S::f32s) -> [S::f32s; 2] {
    /// Beyond this the function is `x` or 0 in f32, and its cube could overflow.
    const END: f32 = 20.0;
    /// `2 sqrt(2 / pi)` and three times the cubic's share of it: `2 u' = FIRST + THIRD x^2`.
    const FIRST: f32 = 1.595_769_2;
    const THIRD: f32 = 3.0 * 0.044_715 * FIRST;
    let near = simd.max_f32s(simd.min_f32s(x, simd.splat_f32s(END)), simd.splat_f32s(-END));
    let (share, other) = shares(simd, near);
    let inner_slope = simd.mul_add_f32s(simd.mul_f32s(near, near), simd.splat_f32s(THIRD), simd.splat_f32s(FIRST));
    // x s (1 - s) 2 u' is what the slope has beyond s, and -x times it the offset.
    let beyond = simd.mul_f32s(simd.mul_f32s(near, inner_slope), simd.mul_f32s(share, other));
    let slope = simd.add_f32s(share, beyond);
    [slope, simd.neg_f32s(simd.mul_f32s(near, beyond))]
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

/// `x sigmoid(2 u)`.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (share, _) = shares(simd, x);
    simd.mul_f32s(x, share)
}

/// `sigmoid(2 u)` and `1 - sigmoid(2 u)` with `u = sqrt(2 / pi) (x + 0.044715 x^3)`.
#[inline(always)]
fn shares<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
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
    let sum = simd.add_f32s(one, power);
    let of = |numerator| simd.div_f32s(numerator, sum);
    (of(simd.select_f32s(below, power, one)), of(simd.select_f32s(below, one, power)))
}
