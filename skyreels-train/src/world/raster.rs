//! Which triangle is seen where: a depth buffer over samples.

use rayon::prelude::*;

use super::camera::Camera;
use super::mesh::Part;
use super::vector::V3;

/// No triangle.
pub(super) const NOTHING: u32 = u32::MAX;
/// What is nearer than this to the camera, in centimetres, is not drawn.
const NEAR: f32 = 1.0;
/// Rows of samples that one thread fills.
const BAND: usize = 256;

/// A triangle on the screen: its weights are linear in the place of a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    /// Second and third corner's weight: at the origin, per column, per row.
    weights: [[f32; 3]; 2],
    /// One over the distance of the corners.
    near: [f32; 3],
    /// First and last column, first and last row; empty for what is not drawn.
    span: [i32; 4],
}

/// What is seen at each sample.
pub(super) struct Seen {
    pub(super) size: [usize; 2],
    pub(super) triangles: Vec<u32>,
    pub(super) setups: Vec<Setup>,
}

impl Setup {
    const EMPTY: Self = Self { weights: [[0.0; 3]; 2], near: [0.0; 3], span: [0, -1, 0, -1] };

    fn new([a, b, c]: [[f32; 3]; 3], both_sides: bool, size: [usize; 2]) -> Self {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
        // Rows run downwards: what is counter-clockwise from outside has a negative area.
        if area.abs() < 1e-9 || (area > 0.0 && !both_sides) {
            return Self::EMPTY;
        }
        let (low, high) = ([0, 1].map(|k| a[k].min(b[k]).min(c[k])), [0, 1].map(|k| a[k].max(b[k]).max(c[k])));
        // Samples lie in the middle of their cells.
        let first = |v: f32| (v - 0.5).ceil().max(0.0) as i32;
        let last = |v: f32, side: usize| ((v - 0.5).floor().min(side as f32 - 1.0)) as i32;
        let span = [first(low[0]), last(high[0], size[0]), first(low[1]), last(high[1], size[1])];
        let weight = |from: [f32; 3], to: [f32; 3]| {
            let (column, row) = ((from[1] - to[1]) / area, (to[0] - from[0]) / area);
            [-(from[0] * column + from[1] * row), column, row]
        };
        Self { weights: [weight(c, a), weight(a, b)], near: [a[2], b[2], c[2]], span }
    }

    /// Weights of the corners in space at a place on the screen, and one over the distance.
    #[inline]
    pub(super) fn at(&self, x: f32, y: f32) -> ([f32; 3], f32) {
        let [b, c] = self.weights.map(|[origin, column, row]| origin + column * x + row * y);
        let scaled = [(1.0 - b - c) * self.near[0], b * self.near[1], c * self.near[2]];
        let near = scaled[0] + scaled[1] + scaled[2];
        (scaled.map(|weight| weight / near), near)
    }
}

/// Finds what is seen at `samples` x `samples` places in each pixel of a picture of `size`.
pub(super) fn look(places: &[V3], triangles: &[[u32; 3]], parts: &[Part], size: [u32; 2], samples: u32) -> Seen {
    let sampled = size.map(|side| side * samples);
    let camera = Camera::of(sampled);
    let screen: Vec<[f32; 3]> = places.iter().map(|place| camera.project(*place)).collect();
    let size = sampled.map(|side| side as usize);
    let setup = |(corners, part): (&[u32; 3], &Part)| {
        let corners = corners.map(|i| i as usize);
        if corners.iter().any(|i| places[*i].z > -NEAR) {
            return Setup::EMPTY;
        }
        Setup::new(corners.map(|i| screen[i]), open_sheet(*part), size)
    };
    let setups: Vec<Setup> = triangles.iter().zip(parts).map(setup).collect();
    let mut seen = vec![NOTHING; size[0] * size[1]];
    seen.par_chunks_mut(BAND * size[0]).enumerate().for_each(|(band, rows)| {
        fill(&setups, rows, size[0], (band * BAND) as i32);
    });
    Seen { size, triangles: seen, setups }
}

/// True for parts whose inner side can be seen.
fn open_sheet(part: Part) -> bool {
    matches!(part, Part::Lash | Part::Hair | Part::Mouth | Part::Tongue | Part::Teeth | Part::Ear)
}

/// Fills some rows.
fn fill(setups: &[Setup], seen: &mut [u32], width: usize, first_row: i32) {
    let mut nearest = vec![0.0f32; seen.len()];
    let rows = (seen.len() / width) as i32;
    for (number, setup) in setups.iter().enumerate() {
        let [left, right, top, bottom] = setup.span;
        let (top, bottom) = (top.max(first_row), bottom.min(first_row + rows - 1));
        if left > right {
            continue;
        }
        let [b, c] = setup.weights;
        let [na, nb, nc] = setup.near;
        for row in top..=bottom {
            let (x, y) = (left as f32 + 0.5, row as f32 + 0.5);
            let (mut u, mut v) = (b[0] + b[1] * x + b[2] * y, c[0] + c[1] * x + c[2] * y);
            let from = (row - first_row) as usize * width;
            let line = from + left as usize..=from + right as usize;
            for (id, depth) in seen[line.clone()].iter_mut().zip(&mut nearest[line]) {
                if u >= 0.0 && v >= 0.0 && u + v <= 1.0 {
                    let near = na + u * (nb - na) + v * (nc - na);
                    if near > *depth {
                        *depth = near;
                        *id = number as u32;
                    }
                }
                u += b[1];
                v += c[1];
            }
        }
    }
}

impl Seen {
    /// One over the distance of what is seen around a place; 0 where nothing is, `None` outside.
    ///
    /// Of the four samples around, the one that is farthest away: an edge beside does not hide.
    pub(super) fn nearest(&self, x: f32, y: f32) -> Option<f32> {
        let (column, row) = ((x - 0.5).floor(), (y - 0.5).floor());
        let inside = |v: f32, side: usize| v >= 0.0 && v + 1.0 < side as f32;
        if !(inside(column, self.size[0]) && inside(row, self.size[1])) {
            return None;
        }
        let near = [[0, 0], [1, 0], [0, 1], [1, 1]].map(|[right, down]| {
            let (column, row) = (column as usize + right, row as usize + down);
            match self.triangles[row * self.size[0] + column] {
                NOTHING => 0.0,
                triangle => self.setups[triangle as usize].at(column as f32 + 0.5, row as f32 + 0.5).1,
            }
        });
        near.into_iter().reduce(f32::min)
    }
}
