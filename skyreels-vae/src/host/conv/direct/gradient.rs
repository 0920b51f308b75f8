//! The gradient with respect to the kernel: sums of products in registers.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::host::conv::KERNEL;
use crate::host::padded::{BORDER, Padded};

/// Output channels whose sums share the registers with the three columns of a row of the kernel.
const TO: usize = 8;
/// Positions after which sums leave their registers: the rows of all channels of a tile stay in the second cache.
const POSITIONS: usize = 4096;

/// See [`weight_gradient`](super::super::weight_gradient).
pub(in crate::host::conv) fn weight_gradient(input: &Padded, cotangent: &Padded, around: usize) -> Vec<f32> {
    let frames = cotangent.frames - 2 * around;
    let times = input.frames + 1 - frames;
    let taps = times * KERNEL * KERNEL;
    let (arch, from) = (Arch::new(), input.channels);
    let tiles: Vec<Vec<f32>> = (0..cotangent.channels.div_ceil(TO) * from)
        .into_par_iter()
        .map(|tile| {
            let (block, channel) = (tile / from, tile % from);
            let mut sums = vec![0.0; TO * taps];
            let first = block * TO;
            let tile = Tile { input, cotangent, around, times, first, channel, sums: &mut sums };
            match cotangent.channels - first {
                1 => arch.dispatch(Width::<1>(tile)),
                2..=4 => arch.dispatch(Width::<4>(tile)),
                _ => arch.dispatch(Width::<TO>(tile)),
            }
            sums
        })
        .collect();
    let mut gradient = Vec::with_capacity(cotangent.channels * from * taps);
    for to in 0..cotangent.channels {
        for channel in 0..from {
            gradient.extend_from_slice(&tiles[to / TO * from + channel][to % TO * taps..][..taps]);
        }
    }
    gradient
}

/// Some output channels and one input channel.
struct Tile<'a> {
    input: &'a Padded,
    cotangent: &'a Padded,
    around: usize,
    times: usize,
    /// First output channel.
    first: usize,
    /// The input channel.
    channel: usize,
    /// `[to][times][3][3]`
    sums: &'a mut [f32],
}

/// How many output channels share the registers.
struct Width<'a, const WIDTH: usize>(Tile<'a>);

impl<const WIDTH: usize> WithSimd for Width<'_, WIDTH> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tile { input, cotangent, around, times, first, channel, sums } = self.0;
        let stride = input.stride();
        // From the first to the last position of a frame; the zeros between rows add nothing.
        let length = (input.height - 1) * stride + input.width;
        let corner = BORDER * stride + BORDER;
        let frames = cotangent.frames - 2 * around;
        let taps = times * KERNEL * KERNEL;
        let at_once = (POSITIONS / length).max(1);
        // Channels beyond the last one repeat it; nobody reads their sums.
        let channels: [usize; WIDTH] = std::array::from_fn(|to| (first + to).min(cotangent.channels - 1));
        for item in 0..input.batch {
            for start in (0..frames).step_by(at_once) {
                let count = at_once.min(frames - start);
                for row in 0..times * KERNEL {
                    let (time, down) = (row / KERNEL, row % KERNEL);
                    let mut acc = [[simd.splat_f32s(0.0); KERNEL]; WIDTH];
                    for frame in start..start + count {
                        let x = input.index(item, frame + time, down) + channel * input.channel_length();
                        let x = &input.data[x..x + length + 2 * BORDER];
                        let y = cotangent.index(item, around + frame, 0) + corner;
                        let y = channels.map(|to| {
                            let start = y + to * cotangent.channel_length();
                            &cotangent.data[start..start + length]
                        });
                        let whole = length - length % S::F32_LANES;
                        for position in (0..whole).step_by(S::F32_LANES) {
                            let column = |column: usize| &x[position + column..][..S::F32_LANES];
                            let x = [vector(simd, column(0)), vector(simd, column(1)), vector(simd, column(2))];
                            for (acc, y) in acc.iter_mut().zip(y) {
                                let y = vector(simd, &y[position..position + S::F32_LANES]);
                                for (acc, x) in acc.iter_mut().zip(x) {
                                    *acc = simd.mul_add_e_f32s(y, x, *acc);
                                }
                            }
                        }
                        let load = |column: usize| &x[whole + column..length + column];
                        let x = [load(0), load(1), load(2)];
                        let x =
                            [simd.partial_load_f32s(x[0]), simd.partial_load_f32s(x[1]), simd.partial_load_f32s(x[2])];
                        for (acc, y) in acc.iter_mut().zip(y) {
                            let y = simd.partial_load_f32s(&y[whole..]);
                            for (acc, x) in acc.iter_mut().zip(x) {
                                *acc = simd.mul_add_e_f32s(y, x, *acc);
                            }
                        }
                    }
                    for (to, acc) in acc.into_iter().enumerate() {
                        for (column, acc) in acc.into_iter().enumerate() {
                            sums[to * taps + row * KERNEL + column] += simd.reduce_sum_f32s(acc);
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn vector<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    S::as_simd_f32s(values).0[0]
}
