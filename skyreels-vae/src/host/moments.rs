//! Mean and variance of groups of channels.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Numbers that are summed up in f32 before the sum goes on in f64.
const PIECE: usize = 1 << 12;

/// Mean and biased variance of every `length` numbers of `x`.
pub(super) fn moments(x: &[f32], length: usize) -> (Vec<f32>, Vec<f32>) {
    let arch = Arch::new();
    x.par_chunks(length)
        .map(|group| {
            let sum = |centre: f32, square: bool| -> f64 {
                let pieces = group.par_chunks(PIECE);
                pieces.map(|x| f64::from(arch.dispatch(Sum { x, centre, square }))).sum()
            };
            let mean = sum(0.0, false) / group.len() as f64;
            let variance = sum(mean as f32, true) / group.len() as f64;
            (mean as f32, variance as f32)
        })
        .unzip()
}

/// Sum of `x - centre`, or of its squares.
struct Sum<'a> {
    x: &'a [f32],
    centre: f32,
    square: bool,
}

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        /// Sums that run side by side.
        const SIDE: usize = 4;
        let (vectors, rest) = S::as_simd_f32s(self.x);
        let (fours, ones) = pulp::as_arrays::<SIDE, _>(vectors);
        let centre = simd.splat_f32s(self.centre);
        let add = |sum: S::f32s, x: S::f32s| {
            let x = simd.sub_f32s(x, centre);
            if self.square { simd.mul_add_e_f32s(x, x, sum) } else { simd.add_f32s(sum, x) }
        };
        let mut sums = [simd.splat_f32s(0.0); SIDE];
        for four in fours {
            for (sum, x) in sums.iter_mut().zip(four) {
                *sum = add(*sum, *x);
            }
        }
        for x in ones {
            sums[0] = add(sums[0], *x);
        }
        let rest: f32 = rest.iter().map(|x| x - self.centre).map(|x| if self.square { x * x } else { x }).sum();
        rest + sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum::<f32>()
    }
}
