//! The convolution by Winograd's minimal filtering: tiles of 4x4 outputs take 36 products for each pair of channels in the place of
//! 144. Frames of the kernel are summed up before the way back, so that it and the way there are passed once.

mod band;
mod gradient;
mod plane;
mod points;

pub(super) use gradient::weight_gradient;

use band::Band;
use points::{POINTS, of_kernels};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::KERNEL;
use crate::host::padded::Padded;

/// Products of a tile and a pair of channels.
const PRODUCTS: usize = POINTS * POINTS;
/// Registers that eight output channels by three vectors of tiles need; with fewer it is six by two.
const MANY_REGISTERS: usize = 32;
/// Most tiles of a band: what a task keeps of a frame grows with them.
const TILES: usize = 96;
/// Most bytes of transformed kernels at a time.
const KERNEL_BYTES: usize = 32 << 20;
/// Tasks that a thread should find, where there are frames to share out.
const TASKS: usize = 4;

/// See [`add_conv`](super::add_conv).
pub(super) fn add_conv(input: &Padded, weight: &[f32], bias: &[f32], output: &mut [f32]) {
    let arch = Arch::new();
    arch.dispatch(Lanes { input, weight, bias, output, arch });
}

/// Finds out how wide vectors are, then runs the tile shape that fits the registers.
struct Lanes<'a> {
    input: &'a Padded,
    weight: &'a [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
    arch: Arch,
}

impl WithSimd for Lanes<'_> {
    type Output = ();

    fn with_simd<S: Simd>(self, _: S) {
        if S::REGISTER_COUNT >= MANY_REGISTERS {
            self.run::<8, 3>(S::F32_LANES)
        } else {
            self.run::<6, 2>(S::F32_LANES)
        }
    }
}

/// Tiles of a frame, and how they are shared out.
#[derive(Debug, Clone, Copy)]
struct Grid {
    /// Tiles side by side.
    across: usize,
    /// Rows of tiles in a band.
    rows: usize,
    /// Bands of a frame.
    bands: usize,
    /// Frames of a task.
    frames: usize,
}

impl Grid {
    /// `whole` tiles are computed together.
    fn new(input: &Padded, frames: usize, whole: usize) -> Self {
        let (across, down) = (input.width.div_ceil(points::OUT), input.height.div_ceil(points::OUT));
        let waste = |rows: &usize| (rows * across).next_multiple_of(whole) * down.div_ceil(*rows);
        let rows = (1..=down).filter(|rows| *rows == 1 || rows * across <= TILES).min_by_key(waste).unwrap_or(1);
        let bands = down.div_ceil(rows);
        let tasks = (TASKS * rayon::current_num_threads()).div_ceil(input.batch * bands);
        Self { across, rows, bands, frames: frames.div_ceil(tasks.min(frames)) }
    }
}

impl Lanes<'_> {
    /// `TO` output channels share the registers with `VECTORS` vectors of tiles.
    fn run<const TO: usize, const VECTORS: usize>(self, lanes: usize) {
        let Self { input, weight, bias, output, arch } = self;
        let (height, width, to) = (input.height, input.width, bias.len());
        let each = weight.len() / to;
        let times = each / (input.channels * KERNEL * KERNEL);
        let frames = input.frames + 1 - times;
        let grid = Grid::new(input, frames, VECTORS * lanes);
        let shares = frames.div_ceil(grid.frames);
        let together = (KERNEL_BYTES / (input.channels * times * PRODUCTS * size_of::<f32>())).max(TO) / TO * TO;
        for first in (0..to).step_by(together) {
            let own = first..to.min(first + together);
            let kernels = transformed::<TO>(&weight[own.start * each..own.end * each], input.channels, times);
            // A task owns a band of some frames in every output channel.
            let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
            tasks.resize_with(input.batch * shares * grid.bands, Vec::new);
            for (plane, output) in output.chunks_mut(frames * height * width).enumerate() {
                if !own.contains(&(plane % to)) {
                    continue;
                }
                for (frame, output) in output.chunks_mut(height * width).enumerate() {
                    for (band, output) in output.chunks_mut(grid.rows * points::OUT * width).enumerate() {
                        tasks[(plane / to * shares + frame / grid.frames) * grid.bands + band].push(output);
                    }
                }
            }
            tasks.into_par_iter().enumerate().for_each_init(Vec::new, |room, (task, outputs)| {
                let (item, share, row) =
                    (task / grid.bands / shares, task / grid.bands % shares, task % grid.bands * grid.rows);
                let band = Band::<TO, VECTORS> {
                    input,
                    kernels: &kernels,
                    bias: &bias[own.clone()],
                    times,
                    across: grid.across,
                    item,
                    first: share * grid.frames,
                    row,
                    outputs,
                    room,
                };
                arch.dispatch(band);
            });
        }
    }
}

/// Kernels at the points, in the order of their use: `[36][to / TO][times][from][TO]`.
fn transformed<const TO: usize>(weight: &[f32], from: usize, times: usize) -> Vec<f32> {
    let each = from * times;
    let blocks = weight.len().div_ceil(TO * each * KERNEL * KERNEL);
    let mut kernels = vec![0.0; PRODUCTS * blocks * each * TO];
    // Every block has a run of every point.
    let mut runs: Vec<Vec<&mut [f32]>> = Vec::new();
    runs.resize_with(blocks, || Vec::with_capacity(PRODUCTS));
    for (index, run) in kernels.chunks_mut(each * TO).enumerate() {
        runs[index % blocks].push(run);
    }
    runs.into_par_iter().zip(weight.par_chunks(TO * each * KERNEL * KERNEL)).for_each(|(mut runs, weight)| {
        for index in 0..each {
            let (channel, time) = (index / times, index % times);
            // The last block may have fewer channels: its other kernels stay zero.
            let mut kernels = [[[0.0; TO]; KERNEL]; KERNEL];
            for (to, weight) in weight.chunks_exact(each * KERNEL * KERNEL).enumerate() {
                let weight = &weight[index * KERNEL * KERNEL..][..KERNEL * KERNEL];
                for y in 0..KERNEL {
                    for x in 0..KERNEL {
                        kernels[x][y][to] = weight[y * KERNEL + x];
                    }
                }
            }
            let columns = [of_kernels(kernels[0]), of_kernels(kernels[1]), of_kernels(kernels[2])];
            for y in 0..POINTS {
                let row = of_kernels([columns[0][y], columns[1][y], columns[2][y]]);
                for (x, values) in row.into_iter().enumerate() {
                    runs[y * POINTS + x][(time * from + channel) * TO..][..TO].copy_from_slice(&values);
                }
            }
        }
    });
    kernels
}
