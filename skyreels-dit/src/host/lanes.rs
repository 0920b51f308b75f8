//! Vector arithmetic shared by the kernels.

use pulp::{Arch, Simd};

/// Bytes of a cache line, and of the widest vector.
const LINE_BYTES: usize = 64;

/// True when the processor has vectors that this build knows.
pub(super) fn available() -> bool {
    !matches!(Arch::new(), Arch::Scalar)
}

/// Zeros that begin on a cache line: a vector that straddles two is loaded at half speed.
pub(super) struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(super) fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + LINE_BYTES / size_of::<f32>()];
        let start = values.as_ptr().align_offset(LINE_BYTES);
        // The offset is only a matter of speed, and may be any number where it is not supported.
        Self { start: if start + len <= values.len() { start } else { 0 }, values, len }
    }

    pub(super) fn get(&self) -> &[f32] {
        &self.values[self.start..self.start + self.len]
    }

    pub(super) fn get_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..self.start + self.len]
    }
}

/// `2^x` for `x <= 0`, relative error below 2e-7; zero to within 1e-37 far below; NaN for NaN.
///
/// `x = n + f` with `n` the nearest integer: adding a large constant leaves `n` in the low bits of
/// the sum, from where a shift puts it into the exponent of `2^f`, a Taylor polynomial.
#[inline(always)]
pub(super) fn exp2_nonpositive<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// 1.5 * 2^23: sums with it have no fraction bits left.
    const ROUND: f32 = 12_582_912.0;
    /// Smallest exponent of a normal number.
    const LEAST: f32 = -126.0;
    const MANTISSA_BITS: u32 = 23;
    /// `ln(2)^k / k!`, highest power first.
    const TAYLOR: [f32; 8] = [
        1.525_273_4e-5,
        1.540_353e-4,
        1.333_355_8e-3,
        9.618_129e-3,
        5.550_411e-2,
        2.402_265e-1,
        std::f32::consts::LN_2,
        1.0,
    ];
    // x86 compares to the second operand where one is NaN: the series stays NaN, and the bits of a
    // NaN (all of them set, where it comes from CUDA) do not become an exponent.
    let x = simd.max_f32s(simd.splat_f32s(LEAST), x);
    let shifted = simd.min_f32s(simd.add_f32s(x, simd.splat_f32s(ROUND)), simd.splat_f32s(ROUND));
    let fraction = simd.sub_f32s(x, simd.sub_f32s(shifted, simd.splat_f32s(ROUND)));
    let mut power = simd.splat_f32s(TAYLOR[0]);
    for coefficient in &TAYLOR[1..] {
        power = simd.mul_add_f32s(power, fraction, simd.splat_f32s(*coefficient));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(MANTISSA_BITS));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(power), exponent))
}
