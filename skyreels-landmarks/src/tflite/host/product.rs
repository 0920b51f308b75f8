//! Dense convolutions as products of matrices.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::at_least;

/// Output channels that a product keeps in registers, and vectors of neighbouring pixels of each, where there are 32 registers
/// and where there are 16.
const ROWS: usize = 4;
const VECTORS: [usize; 2] = [4, 2];
const MANY_REGISTERS: usize = 32;

/// `out[row][pixel] = bias[row] + weight[row] x[..][pixel]`; weight `[rows, inputs]`, x `[inputs, pixels]`.
pub(super) fn product(weight: &[f32], bias: &[f32], x: &[f32], out: &mut [f32]) {
    let inputs = weight.len() / bias.len();
    let pixels = x.len() / inputs;
    let arch = Arch::new();
    // Every task writes out its own tiles of `x`, which many rows should share.
    let share = bias.len().div_ceil(rayon::current_num_threads()).next_multiple_of(ROWS);
    let rows = share.max(at_least(pixels * inputs).next_multiple_of(ROWS));
    let (weights, biases) = (weight.par_chunks(rows * inputs), bias.par_chunks(rows));
    out.par_chunks_mut(rows * pixels).zip(weights.zip(biases)).for_each(|(out, (weight, bias))| {
        arch.dispatch(Rows { weight, bias, x, inputs, pixels, out });
    });
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
