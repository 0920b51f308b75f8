//! Products of small matrices in registers, and the orders in which they read their operands.

use pulp::{Arch, Simd, WithSimd};

use super::lanes::Aligned;

/// Rows that a product keeps in registers.
pub(super) const ROWS: usize = 6;
/// Vectors that a product keeps in registers per row, where there are 32 registers and where there
/// are 16.
pub(super) const VECTORS: [usize; 2] = [4, 2];
pub(super) const MANY_REGISTERS: usize = 32;

/// Lanes and columns of the products on this processor.
pub(super) struct Columns;

impl WithSimd for Columns {
    type Output = [usize; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [usize; 2] {
        [S::F32_LANES, S::F32_LANES * if S::REGISTER_COUNT >= MANY_REGISTERS { VECTORS[0] } else { VECTORS[1] }]
    }
}

/// One head of `[tokens, heads, width]`.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) values: &'a [f32],
    pub(super) heads: usize,
    pub(super) width: usize,
    pub(super) index: usize,
}

impl<'a> Head<'a> {
    fn tokens(self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        let (start, width) = (self.index * self.width, self.width);
        self.values.chunks_exact(self.heads * width).map(move |token| &token[start..start + width])
    }

    /// Panels of as many tokens as a product has columns, each `[width, columns]`: the right side of a product with the transpose.
    pub(super) fn panels(self) -> Aligned {
        let [_, columns] = Arch::new().dispatch(Columns);
        let width = self.width;
        let mut panels = Aligned::zeros(self.tokens().len().next_multiple_of(columns) * width);
        for (token, values) in self.tokens().enumerate() {
            let panel = &mut panels.get_mut()[token / columns * columns * width..][..columns * width];
            for (at, value) in values.iter().enumerate() {
                panel[at * columns + token % columns] = *value;
            }
        }
        panels
    }

    /// `[tokens rounded up to ROWS, width rounded up to vectors]`, zeros beyond.
    pub(super) fn rows(self) -> Aligned {
        let [lanes, _] = Arch::new().dispatch(Columns);
        let padded = self.width.next_multiple_of(lanes);
        let mut rows = Aligned::zeros(self.tokens().len().next_multiple_of(ROWS) * padded);
        for (row, values) in rows.get_mut().chunks_exact_mut(padded).zip(self.tokens()) {
            row[..self.width].copy_from_slice(values);
        }
        rows
    }
}

/// `ROWS` rows of `left`, `row` apart, times `V` vectors of every row of `right`.
#[inline(always)]
pub(super) fn product<S: Simd, const V: usize>(
    simd: S,
    left: &[f32],
    row: usize,
    right: &[S::f32s],
    stride: usize,
    depth: usize,
) -> [[S::f32s; V]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); V]; ROWS];
    // Iterators in step, and no index: one that might be out of bounds would keep the sums out of registers.
    let [a, b, c, d, e, f]: [&[f32]; ROWS] = std::array::from_fn(|i| &left[i * row..][..depth]);
    let left = a.iter().zip(b).zip(c).zip(d).zip(e).zip(f);
    for (right, (((((a, b), c), d), e), f)) in right.chunks(stride).zip(left) {
        let right: &[S::f32s; V] = right.first_chunk().expect("a row is at least as wide as the product");
        for (sums, left) in sums.iter_mut().zip([a, b, c, d, e, f]) {
            let factor = simd.splat_f32s(*left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(factor, *right, *sum);
            }
        }
    }
    sums
}

/// As [`product`], with the transpose of `left`: `ROWS` columns of it, rows `row` apart.
#[inline(always)]
fn transposed_product<S: Simd, const V: usize>(
    simd: S,
    left: &[f32],
    row: usize,
    right: &[S::f32s],
    stride: usize,
    depth: usize,
) -> [[S::f32s; V]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); V]; ROWS];
    for (left, right) in left.chunks(row).zip(right.chunks(stride)).take(depth) {
        let left: &[f32; ROWS] = left.first_chunk().expect("a row is at least as wide as the product is high");
        let right: &[S::f32s; V] = right.first_chunk().expect("a row is at least as wide as the product");
        for (sums, left) in sums.iter_mut().zip(left) {
            let factor = simd.splat_f32s(*left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_f32s(factor, *right, *sum);
            }
        }
    }
    sums
}

/// Adds `ROWS` rows of `left`, or of its transpose, times whole rows of `right`, of `vectors` vectors, to rows of results.
#[inline(always)]
pub(super) fn add_product<S: Simd, const V: usize, const TRANSPOSED: bool>(
    simd: S,
    results: &mut [S::f32s],
    vectors: usize,
    left: &[f32],
    row: usize,
    right: &[S::f32s],
    depth: usize,
) {
    let mut from = 0;
    while from + V <= vectors {
        add_columns::<S, V, TRANSPOSED>(simd, results, vectors, from, left, row, right, depth);
        from += V;
    }
    while from + 2 <= vectors {
        add_columns::<S, 2, TRANSPOSED>(simd, results, vectors, from, left, row, right, depth);
        from += 2;
    }
    while from < vectors {
        add_columns::<S, 1, TRANSPOSED>(simd, results, vectors, from, left, row, right, depth);
        from += 1;
    }
}

/// `V` vectors of [`add_product`].
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "two matrices and where to look")]
fn add_columns<S: Simd, const V: usize, const TRANSPOSED: bool>(
    simd: S,
    results: &mut [S::f32s],
    vectors: usize,
    from: usize,
    left: &[f32],
    row: usize,
    right: &[S::f32s],
    depth: usize,
) {
    let right = &right[from..];
    let sums = if TRANSPOSED {
        transposed_product::<S, V>(simd, left, row, right, vectors, depth)
    } else {
        product::<S, V>(simd, left, row, right, vectors, depth)
    };
    for (row, sums) in results.chunks_exact_mut(vectors).zip(&sums) {
        for (to, sum) in row[from..].iter_mut().zip(sums) {
            *to = simd.add_f32s(*to, *sum);
        }
    }
}
