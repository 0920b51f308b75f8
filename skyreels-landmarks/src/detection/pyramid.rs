//! Levels of a feature pyramid on each other's size.

use burn::tensor::{Int, Tensor, TensorData};

/// The nearest pixels of `small` at the size of `large`.
///
/// Written out because the sizes need not be multiples (a level is rounded up), and backends round differently then.
pub(crate) fn enlarged(small: &Tensor<4>, large: &Tensor<4>) -> Tensor<4> {
    let nearest = |x: Tensor<4>, axis: usize| {
        let (from, to) = (x.dims()[axis], large.dims()[axis]);
        let indices: Vec<i32> = (0..to).map(|at| (at * from / to) as i32).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [to]), &x.device());
        x.select(axis, indices)
    };
    nearest(nearest(small.clone(), 2), 3)
}
