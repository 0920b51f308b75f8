//! SiLU of a scaled and shifted row.

use pulp::{Arch, Simd, WithSimd};

/// Powers of `ln 2` over factorials: the series of `2^x`, exact to f32 within half a step of 0.
const EXP2: [f32; 8] = [
    1.0,
    std::f32::consts::LN_2,
    0.240_226_5,
    0.055_504_11,
    0.009_618_13,
    0.001_333_355_8,
    0.000_154_035_3,
    0.000_015_252_734,
];
/// Adding it rounds to a whole number, which then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;
/// Bits of the fraction of an f32.
const FRACTION: u32 = 23;
/// Largest exponent that is looked at: beyond it SiLU is the identity or zero.
const LARGEST: f32 = 126.0;

/// `out = silu(x * gain + offset)`; all slices have one length.
pub(super) struct ScaledSilu<'a> {
    pub(super) x: &'a [f32],
    pub(super) gain: &'a [f32],
    pub(super) offset: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl ScaledSilu<'_> {
    pub(super) fn run(self, arch: Arch) {
        arch.dispatch(self);
    }
}

impl WithSimd for ScaledSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_rest) = S::as_simd_f32s(self.x);
        let (gain, gain_rest) = S::as_simd_f32s(self.gain);
        let (offset, offset_rest) = S::as_simd_f32s(self.offset);
        let (out, out_rest) = S::as_mut_simd_f32s(self.out);
        for (((out, x), gain), offset) in out.iter_mut().zip(x).zip(gain).zip(offset) {
            *out = silu(simd, simd.mul_add_e_f32s(*x, *gain, *offset));
        }
        let load = |rest: &[f32]| simd.partial_load_f32s(rest);
        let rest = silu(simd, simd.mul_add_e_f32s(load(x_rest), load(gain_rest), load(offset_rest)));
        simd.partial_store_f32s(out_rest, rest);
    }
}

/// `x / (1 + e^-x)`
#[inline(always)]
fn silu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.div_f32s(x, one_and_power(simd, x))
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.div_f32s(simd.splat_f32s(1.0), one_and_power(simd, x))
}

/// `1 + e^-x`, as `1 + 2^(-x log2 e)`: the power as a whole one times a series.
#[inline(always)]
fn one_and_power<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let exponent = simd.mul_f32s(x, splat(-std::f32::consts::LOG2_E));
    let exponent = simd.max_f32s(simd.min_f32s(exponent, splat(LARGEST)), splat(-LARGEST));
    let rounded = simd.add_f32s(exponent, splat(ROUND));
    let fraction = simd.sub_f32s(exponent, simd.sub_f32s(rounded, splat(ROUND)));
    let mut series = splat(EXP2[EXP2.len() - 1]);
    for coefficient in EXP2[..EXP2.len() - 1].iter().rev() {
        series = simd.mul_add_e_f32s(series, fraction, splat(*coefficient));
    }
    let whole = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(FRACTION));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(series), whole));
    simd.add_f32s(power, splat(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_silu_to_the_last_digits(values in proptest::collection::vec(-90f32..90.0, 1..70)) {
            let ones = vec![1.0; values.len()];
            let zeros = vec![0.0; values.len()];
            let mut out = zeros.clone();
            ScaledSilu { x: &values, gain: &ones, offset: &zeros, out: &mut out }.run(Arch::new());
            for (x, y) in values.iter().zip(out) {
                let x = f64::from(*x);
                let truth = x / (1.0 + (-x).exp());
                // The rounding of the exponent grows with x; where it shows, SiLU has vanished.
                let allowed = 3e-7 * (1.0 + x.abs() / 2.0) * truth.abs() + 1e-35;
                prop_assert!((f64::from(y) - truth).abs() <= allowed, "{x}: {y} {truth}");
            }
        }
    }
}
