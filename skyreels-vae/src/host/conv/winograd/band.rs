//! Some rows of tiles of some frames.

use pulp::{Simd, WithSimd};

use super::PRODUCTS;
use super::points::{OUT, POINTS, of_input, of_products};
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
    /// Rows of a channel's pixels, one tile after the other.
    line: usize,
}

/// Room for one channel.
struct Scratch<'a> {
    /// Rows at the points, `[y][row of tiles][4 * across]`.
    lines: &'a mut [f32],
    /// The same of the tiles to their right: a tile sees two columns of those.
    right: &'a mut [f32],
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
            // The last vector of a row may reach beyond it.
            line: OUT * tiles + 2 * S::F32_LANES,
        };
        let mut room = std::mem::take(self.room);
        room.resize(self.times * sizes.frame + sizes.products + 2 * POINTS * sizes.line, 0.0);
        let (seen, rest) = room.split_at_mut(self.times * sizes.frame);
        let (products, rest) = rest.split_at_mut(sizes.products);
        let (lines, right) = rest.split_at_mut(POINTS * sizes.line);
        let mut scratch = Scratch { lines, right };
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
        let Scratch { lines, right } = scratch;
        let (input, across) = (self.input, self.across);
        let (stride, tile, tiles) = (input.stride(), VECTORS * S::F32_LANES, sizes.tiles);
        let beyond = vec![0.0; stride];
        for channel in 0..input.channels {
            let plane = input.index(self.item, self.first + frame, 0) + channel * input.channel_length();
            let plane = &input.data[plane..plane + input.plane()];
            for row in 0..sizes.rows {
                let mut rows = [&beyond[..]; POINTS];
                for (y, values) in rows.iter_mut().enumerate() {
                    let start = ((self.row + row) * OUT + y) * stride;
                    *values = plane.get(start..start + stride).unwrap_or(&beyond);
                }
                let start = row * OUT * across;
                for x in (0..OUT * across + POINTS - OUT).step_by(S::F32_LANES) {
                    let mut values = zeros_of(simd);
                    for (value, row) in values.iter_mut().zip(rows) {
                        *value = match row.get(x..x + S::F32_LANES) {
                            Some(row) => vector(simd, row),
                            None => simd.partial_load_f32s(row.get(x..).unwrap_or_default()),
                        };
                    }
                    for (y, value) in of_input(simd, values).into_iter().enumerate() {
                        let start = y * sizes.line + start + x;
                        store(simd, value, &mut lines[start..start + S::F32_LANES]);
                        if x >= OUT {
                            store(simd, value, &mut right[start - OUT..start - OUT + S::F32_LANES]);
                        } else if S::F32_LANES > OUT {
                            right[start..start + S::F32_LANES - OUT]
                                .copy_from_slice(&lines[start + OUT..start + S::F32_LANES]);
                        }
                    }
                }
            }
            for y in 0..POINTS {
                let (lines, right) = (&lines[y * sizes.line..], &right[y * sizes.line..]);
                for (group, start) in (0..tiles).step_by(tile).enumerate() {
                    for lane in (0..tile).step_by(S::F32_LANES) {
                        let pixels = OUT * (start + lane)..OUT * (start + lane + S::F32_LANES);
                        let [a, b, c, d] = columns(simd, &lines[pixels.clone()]);
                        let [e, f, ..] = columns(simd, &right[pixels]);
                        for (x, value) in of_input(simd, [a, b, c, d, e, f]).into_iter().enumerate() {
                            let place = ((y * POINTS + x) * (tiles / tile) + group) * input.channels + channel;
                            store(simd, value, &mut seen[place * tile + lane..][..S::F32_LANES]);
                        }
                    }
                }
            }
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
        let (frames, lines) = (self.outputs.len() / self.bias.len(), &mut *scratch.lines);
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
                    let line = &mut lines[y * sizes.line + OUT * start..][..OUT * S::F32_LANES];
                    S::as_mut_simd_f32s(line).0.copy_from_slice(&simd.interleave_shfl_f32s(row));
                }
            }
            let bias = self.bias[to];
            for (row, output) in self.outputs[to * frames + frame].chunks_mut(width).enumerate() {
                let line = &lines[row % OUT * sizes.line + row / OUT * OUT * across..][..width];
                for (out, value) in output.iter_mut().zip(line) {
                    *out += value + bias;
                }
            }
        }
    }
}

/// The four columns of neighbouring tiles. Which tile is in which lane is up to the machine, but the same in all columns,
/// and undone where the outputs are put together.
#[inline(always)]
fn columns<S: Simd>(simd: S, pixels: &[f32]) -> [S::f32s; OUT] {
    let pixels = S::as_simd_f32s(pixels).0;
    simd.deinterleave_shfl_f32s([pixels[0], pixels[1], pixels[2], pixels[3]])
}

#[inline(always)]
fn zeros_of<S: Simd>(simd: S) -> [S::f32s; POINTS] {
    [simd.splat_f32s(0.0); POINTS]
}

#[inline(always)]
fn vector<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    S::as_simd_f32s(values).0[0]
}

#[inline(always)]
fn store<S: Simd>(_: S, value: S::f32s, out: &mut [f32]) {
    S::as_mut_simd_f32s(out).0[0] = value;
}
