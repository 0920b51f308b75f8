//! Three-dimensional rotary positions.

use burn::tensor::{DType, Device, Tensor, TensorData};

use crate::{Error, Result, host};

/// Base of the geometric frequencies.
const THETA: f64 = 10_000.0;
/// Most tokens that tables are made for: two hundred thousand times a published clip.
const MAX_TOKENS: usize = 1 << 32;

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
    /// Tables for a grid of `[frames, rows, columns]` patches, whose rows and columns are fitted into
    /// the grid `base` ([`TransformerConfig::base_grid`](super::TransformerConfig::base_grid)).
    ///
    /// # Shapes
    /// Tables `[frames * rows * columns, head_dim]`, f32.
    ///
    /// # Errors
    /// [`Error::Shape`] when a grid is empty or too large, or `head_dim` is not a multiple of 16.
    pub fn new(head_dim: usize, grid: [usize; 3], base: [usize; 2], device: &Device) -> Result<Self> {
        let tokens = grid.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        let fits = tokens.is_some_and(|tokens| (1..=MAX_TOKENS).contains(&tokens));
        if head_dim == 0 || !head_dim.is_multiple_of(16) || !fits || base.contains(&0) {
            return Err(Error::Shape {
                what: "rotary tables (head_dim, frames, rows, columns, base rows, base columns)",
                found: [&[head_dim], &grid[..], &base[..]].concat(),
                expected: format!(
                    "a head_dim that is a multiple of 16, and grids of at least one and at most {MAX_TOKENS} patches"
                ),
            });
        }
        let [frames, rows, columns] = grid;
        let [top_left, bottom_right] = crop_region([rows, columns], base);
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

    /// Tables that turn nothing, for models without rotary positions.
    pub(super) fn still(head_dim: usize, tokens: usize, device: &Device) -> Self {
        let options = (device, DType::F32);
        Self { cos: Tensor::ones([tokens, head_dim], options), sin: Tensor::zeros([tokens, head_dim], options) }
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
        let still = Self::still(head_dim, count, &self.cos.device());
        let behind = |still: Tensor<2>, rest: &Tensor<2>| Tensor::cat(vec![still, rest.clone()], 0);
        Self { cos: behind(still.cos, &self.cos), sin: behind(still.sin, &self.sin) }
    }

    /// Tables that turn back what these turn: as a rotation is orthogonal, its gradient is what they make of the one behind it.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { cos: self.cos.clone(), sin: self.sin.clone().neg() }
    }

    /// Rotates every pair `(a, b)` of every head to `(a cos - b sin, b cos + a sin)`, in f32.
    ///
    /// # Shapes
    /// `[batch, tokens, heads, head_dim]` in and out; `tokens` and `head_dim` are those of the tables.
    ///
    /// # Panics
    /// When `tokens` or `head_dim` is not that of the tables.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, tokens, _, head_dim] = x.dims();
        assert_eq!([tokens, head_dim], self.cos.dims(), "tokens and head width of what is rotated and of the tables");
        if host::serves(&x.device()) {
            return host::rotate(x, self.cos.clone(), self.sin.clone());
        }
        self.apply_composed(x)
    }

    fn apply_composed(&self, x: Tensor<4>) -> Tensor<4> {
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

/// Corners, `[[top, left], [bottom, right]]`, of a grid of `[rows, columns]` patches that is scaled to
/// fit into the grid `base` and centred in it (`get_resize_crop_region_for_grid` of diffusers).
/// Halves are rounded to even.
pub fn crop_region([rows, columns]: [usize; 2], base: [usize; 2]) -> [[usize; 2]; 2] {
    let [base_rows, base_columns] = base.map(|size| size as f64);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of the published picture size in patches of 2 latents.
    const BASE: [usize; 2] = [30, 45];

    fn values<const D: usize>(seed: u32, shape: [usize; D]) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let value = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
        let data: Vec<f32> = (0..count as u32).map(value).collect();
        Tensor::from_data(TensorData::new(data, shape), (&Device::flex(), DType::F32))
    }

    fn dot(a: &Tensor<4>, b: &Tensor<4>) -> f64 {
        a.to_data().iter::<f64>().zip(b.to_data().iter::<f64>()).map(|(a, b)| a * b).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_rotation_keeps_lengths_and_sees_only_distances(
            seed in any::<u32>(), head_dim in prop::sample::select(vec![16_usize, 32, 64]),
            from in 0_usize..10, distance in 0_usize..10,
        ) {
            let tables = Rotary::new(head_dim, [20, 1, 1], BASE, &Device::flex()).unwrap();
            let (query, key) = (values(seed, [1, 1, 2, head_dim]), values(seed ^ 77, [1, 1, 2, head_dim]));
            let everywhere = |x: &Tensor<4>| tables.apply(x.clone().expand([1, 20, 2, head_dim]));
            let (queries, keys) = (everywhere(&query), everywhere(&key));
            let at = |x: &Tensor<4>, token: usize| x.clone().narrow(1, token, 1);
            let length = dot(&query, &query);
            prop_assert!((dot(&at(&queries, from), &at(&queries, from)) - length).abs() < 1e-5 * length);
            let here = dot(&at(&queries, from), &at(&keys, from + distance));
            let there = dot(&at(&queries, 0), &at(&keys, distance));
            prop_assert!((here - there).abs() < 1e-4, "{here} {there}");
        }

        #[test]
        fn one_pass_and_tensor_operations_rotate_alike(seed in any::<u32>(), batch in 1_usize..3, identity in 0_usize..5) {
            let tables = Rotary::new(16, [2, 3, 4], BASE, &Device::flex()).unwrap();
            let tables = if identity > 0 { tables.after_identity_tokens(identity) } else { tables };
            let x: Tensor<4> = values(seed, [batch, 24 + identity, 3, 16]);
            let (one_pass, composed) = (tables.apply(x.clone()), tables.apply_composed(x.clone()));
            prop_assert!((one_pass.clone() - composed).abs().max().into_scalar::<f32>() < 1e-6);
            if identity > 0 {
                let still = |x: Tensor<4>| x.narrow(1, 0, identity).into_data();
                still(one_pass).assert_eq(&still(x), true);
            }
        }
    }

    #[test]
    fn tables_that_cannot_be_made_are_errors() {
        for (head_dim, grid, base) in [
            (0, [1, 1, 1], BASE),
            (24, [1, 1, 1], BASE),
            (16, [0, 1, 1], BASE),
            (16, [1, 1, 0], BASE),
            (16, [1, 1, 1], [0, 45]),
            (16, [usize::MAX, 2, 1], BASE),
            (16, [1 << 20, 1 << 20, 1], BASE),
        ] {
            assert!(Rotary::new(head_dim, grid, base, &Device::flex()).is_err());
        }
    }

    #[test]
    fn the_base_grid_itself_is_numbered_row_by_row() {
        // Patches of one latent make a base of 60 x 90: a clip of that size has whole positions.
        let tables = Rotary::new(16, [1, 60, 90], [60, 90], &Device::flex()).unwrap();
        let sin: Vec<f32> = tables.sin().into_data().iter().collect();
        // Row 59, column 89, the highest frequency of each.
        let last = &sin[(60 * 90 - 1) * 16..];
        assert!((last[4] - 59.0_f32.sin()).abs() < 1e-5 && (last[10] - 89.0_f32.sin()).abs() < 1e-5, "{last:?}");
        assert_eq!(crop_region([60, 90], [60, 90]), [[0, 0], [60, 90]]);
        assert_eq!(crop_region([40, 40], [60, 90]), [[0, 15], [60, 75]]);
    }

    #[test]
    #[should_panic(expected = "tokens and head width")]
    fn rotating_more_tokens_than_the_tables_have_is_not_silent() {
        let tables = Rotary::new(16, [1, 2, 2], BASE, &Device::flex()).unwrap();
        tables.apply(values(1, [1, 5, 1, 16]));
    }
}
