//! Three-dimensional rotary positions.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Result};

/// Base of the geometric frequencies.
const THETA: f64 = 10_000.0;
/// Rows and columns of patches of a 480 x 720 picture: other grids are fitted into this one.
const BASE_GRID: [usize; 2] = [30, 45];

/// Cosines and sines by which queries and keys of the video tokens are rotated.
///
/// A head of width `d` is divided into `d / 4` numbers for the frame and `3 d / 8` each for row
/// and column (`get_3d_rotary_pos_embed` of diffusers). Consecutive numbers are a pair that turns
/// by `position * 10000^(-2 j / width)`; both entries of a pair hold the same value.
#[derive(Debug, Clone)]
pub struct Rotary {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl Rotary {
    /// Tables for a grid of `[frames, rows, columns]` patches.
    ///
    /// # Shapes
    /// Tables `[frames * rows * columns, head_dim]`, f32.
    ///
    /// # Errors
    /// [`Error::Shape`] when the grid is empty or `head_dim` is not a multiple of 16.
    pub fn new(head_dim: usize, grid: [usize; 3], device: &Device) -> Result<Self> {
        if head_dim == 0 || !head_dim.is_multiple_of(16) || grid.contains(&0) {
            return Err(Error::Shape {
                what: "rotary tables (head_dim, frames, rows, columns)",
                found: [&[head_dim], &grid[..]].concat(),
                expected: "a head_dim that is a multiple of 16 and a grid that is not empty".into(),
            });
        }
        let [frames, rows, columns] = grid;
        let [top_left, bottom_right] = crop_region([rows, columns]);
        let axes = [
            axis(head_dim / 4, &(0..frames).map(|t| t as f32).collect::<Vec<_>>()),
            axis(head_dim * 3 / 8, &positions(top_left[0], bottom_right[0], rows)),
            axis(head_dim * 3 / 8, &positions(top_left[1], bottom_right[1], columns)),
        ];
        let table = |function: fn(f64) -> f64| {
            let [t, h, w] = axes.each_ref().map(|angles| -> Vec<Vec<f32>> {
                angles.iter().map(|row| row.iter().map(|angle| function(*angle) as f32).collect()).collect()
            });
            let mut values = Vec::with_capacity(frames * rows * columns * head_dim);
            for frame in &t {
                for row in &h {
                    for column in &w {
                        values.extend_from_slice(frame);
                        values.extend_from_slice(row);
                        values.extend_from_slice(column);
                    }
                }
            }
            let data = TensorData::new(values, [frames * rows * columns, head_dim]);
            Tensor::from_data(data, (device, DType::F32))
        };
        Ok(Self { cos: table(f64::cos), sin: table(f64::sin) })
    }

    /// Cosines, `[video tokens, head_dim]`, f32.
    pub fn cos(&self) -> Tensor<2> {
        self.cos.clone()
    }

    /// Sines, `[video tokens, head_dim]`, f32.
    pub fn sin(&self) -> Tensor<2> {
        self.sin.clone()
    }

    /// Number of video tokens.
    pub fn tokens(&self) -> usize {
        self.cos.dims()[0]
    }

    /// The same tables behind `count` tokens that stay as they are.
    ///
    /// A rotation by nothing in front of the table saves cutting every query and key in two and
    /// joining it again.
    #[must_use]
    pub fn after_identity_tokens(&self, count: usize) -> Self {
        let [_, head_dim] = self.cos.dims();
        let options = (&self.cos.device(), DType::F32);
        let still = |table: Tensor<2>, rest: &Tensor<2>| Tensor::cat(vec![table, rest.clone()], 0);
        Self {
            cos: still(Tensor::ones([count, head_dim], options), &self.cos),
            sin: still(Tensor::zeros([count, head_dim], options), &self.sin),
        }
    }

    /// Rotates every pair `(a, b)` of every head to `(a cos - b sin, b cos + a sin)`, in f32.
    ///
    /// # Shapes
    /// `[batch, tokens, heads, head_dim]` in and out; `tokens` is that of the tables.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let dtype = x.dtype();
        let [batch, tokens, heads, head_dim] = x.dims();
        // Both entries of a pair are the same: one of them is enough.
        let table = |values: &Tensor<2>| {
            values.clone().reshape([tokens, head_dim / 2, 2]).narrow(2, 0, 1).reshape([1, tokens, 1, head_dim / 2, 1])
        };
        let (cos, sin) = (table(&self.cos), table(&self.sin));
        let pairs = x.cast(DType::F32).reshape([batch, tokens, heads, head_dim / 2, 2]);
        let (a, b) = (pairs.clone().narrow(4, 0, 1), pairs.narrow(4, 1, 1));
        let first = a.clone() * cos.clone() - b.clone() * sin.clone();
        let second = b * cos + a * sin;
        Tensor::cat(vec![first, second], 4).reshape([batch, tokens, heads, head_dim]).cast(dtype)
    }
}

/// Corners, `[[top, left], [bottom, right]]`, of a grid of patches that is scaled to fit into that
/// of the published size and centred in it (`get_resize_crop_region_for_grid` of diffusers).
/// Halves are rounded to even.
pub fn crop_region([rows, columns]: [usize; 2]) -> [[usize; 2]; 2] {
    let [base_rows, base_columns] = BASE_GRID.map(|size| size as f64);
    let (high, wide) = (rows as f64, columns as f64);
    let (fit_rows, fit_columns) = if high / wide > base_rows / base_columns {
        (base_rows, (base_rows / high * wide).round_ties_even())
    } else {
        ((base_columns / wide * high).round_ties_even(), base_columns)
    };
    let top = ((base_rows - fit_rows) / 2.0).round_ties_even();
    let left = ((base_columns - fit_columns) / 2.0).round_ties_even();
    [[top, left], [top + fit_rows, left + fit_columns]].map(|corner| corner.map(|value| value as usize))
}

/// `count` equal steps from `start`, the last one step short of `stop`.
fn positions(start: usize, stop: usize, count: usize) -> Vec<f32> {
    // As `linspace(start, stop (n - 1) / n, n)`, which begins at `start` whatever `stop` is.
    let last = stop as f64 * (count - 1) as f64 / count as f64;
    let step = if count > 1 { (last - start as f64) / (count - 1) as f64 } else { 0.0 };
    (0..count).map(|i| (start as f64 + step * i as f64) as f32).collect()
}

/// Angles of one axis, `[positions][width]`.
fn axis(width: usize, positions: &[f32]) -> Vec<Vec<f64>> {
    let frequencies: Vec<f64> = (0..width / 2).map(|j| THETA.powf(-2.0 * j as f64 / width as f64)).collect();
    let angles = |at: &f32| frequencies.iter().flat_map(|f| [f64::from(*at) * f; 2]).collect();
    positions.iter().map(angles).collect()
}
