//! A channel of a frame at the points.

use pulp::Simd;

use super::points::{OUT, POINTS, of_input, of_outputs};

/// Rows of tiles in a channel of a frame.
pub(super) struct Tiles<'a> {
    /// The rows that tiles are cut from. Rows beyond the last one are zero.
    pub(super) plane: &'a [f32],
    /// Distance of two rows.
    pub(super) stride: usize,
    /// Numbers of a row that count; beyond them are zeros.
    pub(super) width: usize,
    /// First row of tiles.
    pub(super) row: usize,
    /// Rows of tiles.
    pub(super) rows: usize,
    /// Tiles side by side.
    pub(super) across: usize,
}

/// Where the values of tiles belong.
pub(super) struct Places {
    /// Distance of two points.
    pub(super) point: usize,
    /// Tiles of a group: whole vectors.
    pub(super) tiles: usize,
    /// Distance of two groups.
    pub(super) group: usize,
    /// The first one.
    pub(super) first: usize,
}

/// Room for one channel.
pub(super) struct Scratch<'a> {
    /// Rows at the points, `[y][row of tiles][4 * across]`.
    lines: &'a mut [f32],
    /// The same of the tiles to their right: a tile of an input sees two columns of those.
    right: &'a mut [f32],
    /// Distance of two points' rows.
    line: usize,
}

impl<'a> Scratch<'a> {
    /// How many numbers it takes for so many tiles.
    pub(super) fn length(tiles: usize, lanes: usize) -> usize {
        2 * POINTS * line(tiles, lanes)
    }

    pub(super) fn new(room: &'a mut [f32], tiles: usize, lanes: usize) -> Self {
        let line = line(tiles, lanes);
        let (lines, right) = room[..Self::length(tiles, lanes)].split_at_mut(POINTS * line);
        Self { lines, right, line }
    }

    /// Row `y` of four of every tile, one tile after the other.
    pub(super) fn line(&mut self, y: usize) -> &mut [f32] {
        &mut self.lines[y * self.line..(y + 1) * self.line]
    }
}

/// The last vector of a row may reach beyond it.
fn line(tiles: usize, lanes: usize) -> usize {
    OUT * tiles + 2 * lanes
}

/// Values of the inputs of `count` tiles (the last of which may be none, whose values mean nothing) at the points.
#[inline(always)]
pub(super) fn look<S: Simd>(
    simd: S,
    tiles: &Tiles,
    count: usize,
    scratch: &mut Scratch,
    places: &Places,
    out: &mut [f32],
) {
    let Scratch { lines, right, line } = scratch;
    let (across, line) = (tiles.across, *line);
    for row in 0..tiles.rows {
        let rows: [&[f32]; POINTS] = tiles.lines(row);
        let start = row * OUT * across;
        for x in (0..OUT * across + POINTS - OUT).step_by(S::F32_LANES) {
            let values = load(simd, rows, x);
            for (y, value) in of_input(simd, values).into_iter().enumerate() {
                let start = y * line + start + x;
                store(simd, value, &mut lines[start..start + S::F32_LANES]);
                if x >= OUT {
                    store(simd, value, &mut right[start - OUT..start - OUT + S::F32_LANES]);
                } else if S::F32_LANES > OUT {
                    right[start..start + S::F32_LANES - OUT].copy_from_slice(&lines[start + OUT..start + S::F32_LANES]);
                }
            }
        }
    }
    for y in 0..POINTS {
        let (lines, right) = (&lines[y * line..], &right[y * line..]);
        for (group, start) in (0..count).step_by(places.tiles).enumerate() {
            for lane in (0..places.tiles).step_by(S::F32_LANES) {
                let pixels = OUT * (start + lane)..OUT * (start + lane + S::F32_LANES);
                let [a, b, c, d] = columns(simd, &lines[pixels.clone()]);
                let [e, f, ..] = columns(simd, &right[pixels]);
                let values = of_input(simd, [a, b, c, d, e, f]);
                places.put(simd, y, group * places.group + lane, values, out);
            }
        }
    }
}

/// The cotangents of the products at the points from those of the outputs of one group of tiles, zero where a tile is none.
#[inline(always)]
pub(super) fn look_back<S: Simd>(simd: S, tiles: &Tiles, scratch: &mut Scratch, places: &Places, out: &mut [f32]) {
    let across = tiles.across;
    for y in 0..POINTS {
        scratch.line(y)[OUT * tiles.rows * across..].fill(0.0);
    }
    for row in 0..tiles.rows {
        let rows: [&[f32]; OUT] = tiles.lines(row);
        for x in (0..OUT * across).step_by(S::F32_LANES) {
            let values = load(simd, rows, x);
            for (y, value) in of_outputs(simd, values).into_iter().enumerate() {
                store(simd, value, &mut scratch.line(y)[row * OUT * across + x..][..S::F32_LANES]);
            }
        }
    }
    for y in 0..POINTS {
        let line = scratch.line(y);
        for lane in (0..places.tiles).step_by(S::F32_LANES) {
            let values = columns(simd, &line[OUT * lane..OUT * (lane + S::F32_LANES)]);
            places.put(simd, y, lane, of_outputs(simd, values), out);
        }
    }
}

impl<'a> Tiles<'a> {
    /// What a row of tiles sees.
    #[inline(always)]
    fn lines<const ROWS: usize>(&self, row: usize) -> [&'a [f32]; ROWS] {
        let mut rows = [&[][..]; ROWS];
        for (y, values) in rows.iter_mut().enumerate() {
            let start = ((self.row + row) * OUT + y) * self.stride;
            *values = self.plane.get(start..start + self.width).unwrap_or_default();
        }
        rows
    }
}

impl Places {
    /// Stores a vector of tiles at row `y` of the points, `place` behind the first one.
    #[inline(always)]
    fn put<S: Simd>(&self, simd: S, y: usize, place: usize, values: [S::f32s; POINTS], out: &mut [f32]) {
        for (x, value) in values.into_iter().enumerate() {
            store(simd, value, &mut out[self.first + place + (y * POINTS + x) * self.point..][..S::F32_LANES]);
        }
    }
}

/// A vector of each row, zero beyond its end.
#[inline(always)]
fn load<S: Simd, const ROWS: usize>(simd: S, rows: [&[f32]; ROWS], x: usize) -> [S::f32s; ROWS] {
    let mut values = [simd.splat_f32s(0.0); ROWS];
    for (value, row) in values.iter_mut().zip(rows) {
        *value = match row.get(x..x + S::F32_LANES) {
            Some(row) => vector(simd, row),
            None => simd.partial_load_f32s(row.get(x..).unwrap_or_default()),
        };
    }
    values
}

/// The four columns of neighbouring tiles. Which tile is in which lane is up to the machine, but the same in all columns.
#[inline(always)]
fn columns<S: Simd>(simd: S, pixels: &[f32]) -> [S::f32s; OUT] {
    let pixels = S::as_simd_f32s(pixels).0;
    simd.deinterleave_shfl_f32s([pixels[0], pixels[1], pixels[2], pixels[3]])
}

#[inline(always)]
pub(super) fn vector<S: Simd>(_: S, values: &[f32]) -> S::f32s {
    S::as_simd_f32s(values).0[0]
}

#[inline(always)]
fn store<S: Simd>(_: S, value: S::f32s, out: &mut [f32]) {
    S::as_mut_simd_f32s(out).0[0] = value;
}
