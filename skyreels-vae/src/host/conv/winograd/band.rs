//! Some rows of tiles of some frames.

use pulp::{Simd, WithSimd};

use super::PRODUCTS;
use super::plane::{Places, Scratch, Tiles, look, vector};
use super::points::{OUT, POINTS, of_products};
use crate::host::padded::Padded;

/// All output channels of a band.
pub(super) struct Band<'a, const TO: usize, const VECTORS: usize> {
    pub(super) input: &'a Padded,
    /// `[36][to / TO][times][from][TO]`
    pub(super) kernels: &'a [f32],
    pub(super) bias: &'a [f32],
    /// Frames of a kernel.
    pub(super) times: usize,
    /// Tiles side by side.
    pub(super) across: usize,
    /// Which of the batch.
    pub(super) item: usize,
    /// First frame.
    pub(super) first: usize,
    /// First row of tiles.
    pub(super) row: usize,
    /// Rows of the band: of every output channel its frames.
    pub(super) outputs: Vec<&'a mut [f32]>,
    /// Room that the tasks of a thread use in turn.
    pub(super) room: &'a mut Vec<f32>,
}

/// Numbers of everything that a band keeps.
struct Sizes {
    /// Rows of tiles.
    rows: usize,
    /// Tiles that are computed, some of which are none.
    tiles: usize,
    /// A frame's channels at the points.
    frame: usize,
    /// Products of all output channels.
    products: usize,
}

impl<const TO: usize, const VECTORS: usize> WithSimd for Band<'_, TO, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let width = self.input.width;
        let frames = self.outputs.len() / self.bias.len();
        let rows = (self.outputs[0].len() / width).div_ceil(OUT);
        let tiles = (rows * self.across).next_multiple_of(VECTORS * S::F32_LANES);
        let sizes = Sizes {
            rows,
            tiles,
            frame: PRODUCTS * self.input.channels * tiles,
            products: PRODUCTS * self.bias.len().next_multiple_of(TO) * tiles,
        };
        let mut room = std::mem::take(self.room);
        room.resize(self.times * sizes.frame + sizes.products + Scratch::length(tiles, S::F32_LANES), 0.0);
        let (seen, rest) = room.split_at_mut(self.times * sizes.frame);
        let (products, rest) = rest.split_at_mut(sizes.products);
        let mut scratch = Scratch::new(rest, tiles, S::F32_LANES);
        for frame in 0..frames {
            // Frames that the kernel has seen before keep their place.
            let new = if frame == 0 { 0 } else { self.times - 1 };
            for time in new..self.times {
                let slot = (frame + time) % self.times * sizes.frame;
                self.look(simd, frame + time, &sizes, &mut scratch, &mut seen[slot..slot + sizes.frame]);
            }
            self.multiply(simd, frame, &sizes, seen, products);
            self.write(simd, frame, &sizes, products, &mut scratch);
        }
        *self.room = room;
    }
}

impl<const TO: usize, const VECTORS: usize> Band<'_, TO, VECTORS> {
    /// Values of a frame's tiles at the points, `[36][group of tiles][from][tile]`.
    #[inline(always)]
    fn look<S: Simd>(&self, simd: S, frame: usize, sizes: &Sizes, scratch: &mut Scratch, seen: &mut [f32]) {
        let (input, tile) = (self.input, VECTORS * S::F32_LANES);
        for channel in 0..input.channels {
            let plane = input.index(self.item, self.first + frame, 0) + channel * input.channel_length();
            let plane = &input.data[plane..plane + input.plane()];
            let (stride, rows, across) = (input.stride(), sizes.rows, self.across);
            let tiles = Tiles { plane, stride, width: stride, row: self.row, rows, across };
            let group = input.channels * tile;
            let places = Places { point: sizes.tiles / tile * group, tiles: tile, group, first: channel * tile };
            look(simd, &tiles, sizes.tiles, scratch, &places, seen);
        }
    }

    /// Products at the points, summed over channels and frames of the kernel: `[to][36][tiles]`.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, frame: usize, sizes: &Sizes, seen: &[f32], products: &mut [f32]) {
        let (from, tile, tiles) = (self.input.channels, VECTORS * S::F32_LANES, sizes.tiles);
        let kernel = self.times * from * TO;
        let blocks = self.bias.len().div_ceil(TO);
        for point in 0..PRODUCTS {
            for (group, start) in (0..tiles).step_by(tile).enumerate() {
                let place = (point * (tiles / tile) + group) * from * tile;
                for block in 0..blocks {
                    let kernels = &self.kernels[(point * blocks + block) * kernel..][..kernel];
                    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; TO];
                    for (time, kernels) in kernels.chunks_exact(from * TO).enumerate() {
                        let slot = (frame + time) % self.times * sizes.frame;
                        let seen = &seen[slot + place..][..from * tile];
                        for (kernel, seen) in kernels.chunks_exact(TO).zip(seen.chunks_exact(tile)) {
                            let seen = S::as_simd_f32s(seen).0;
                            for (sums, kernel) in sums.iter_mut().zip(kernel) {
                                let kernel = simd.splat_f32s(*kernel);
                                for (sum, seen) in sums.iter_mut().zip(seen) {
                                    *sum = simd.mul_add_e_f32s(*seen, kernel, *sum);
                                }
                            }
                        }
                    }
                    for (to, sums) in sums.iter().enumerate() {
                        let place = ((block * TO + to) * PRODUCTS + point) * tiles + start;
                        S::as_mut_simd_f32s(&mut products[place..place + tile]).0.copy_from_slice(sums);
                    }
                }
            }
        }
    }

    /// Adds what the products say, and the bias, to a frame of the output.
    #[inline(always)]
    fn write<S: Simd>(&mut self, simd: S, frame: usize, sizes: &Sizes, products: &[f32], scratch: &mut Scratch) {
        let (tiles, across, width) = (sizes.tiles, self.across, self.input.width);
        let frames = self.outputs.len() / self.bias.len();
        for (to, products) in products.chunks_exact(PRODUCTS * tiles).take(self.bias.len()).enumerate() {
            for start in (0..tiles).step_by(S::F32_LANES) {
                let mut columns = [zeros_of(simd); OUT];
                for y in 0..POINTS {
                    let mut row = zeros_of(simd);
                    for (x, value) in row.iter_mut().enumerate() {
                        *value = vector(simd, &products[(y * POINTS + x) * tiles + start..][..S::F32_LANES]);
                    }
                    for (column, value) in columns.iter_mut().zip(of_products(simd, row)) {
                        column[y] = value;
                    }
                }
                let mut rows = [[simd.splat_f32s(0.0); OUT]; OUT];
                for (x, column) in columns.into_iter().enumerate() {
                    for (row, value) in rows.iter_mut().zip(of_products(simd, column)) {
                        row[x] = value;
                    }
                }
                for (y, row) in rows.into_iter().enumerate() {
                    let line = &mut scratch.line(y)[OUT * start..][..OUT * S::F32_LANES];
                    S::as_mut_simd_f32s(line).0.copy_from_slice(&simd.interleave_shfl_f32s(row));
                }
            }
            let bias = self.bias[to];
            for (row, output) in self.outputs[to * frames + frame].chunks_mut(width).enumerate() {
                let line = &scratch.line(row % OUT)[row / OUT * OUT * across..][..width];
                for (out, value) in output.iter_mut().zip(line) {
                    *out += value + bias;
                }
            }
        }
    }
}

#[inline(always)]
fn zeros_of<S: Simd>(simd: S) -> [S::f32s; POINTS] {
    [simd.splat_f32s(0.0); POINTS]
}
