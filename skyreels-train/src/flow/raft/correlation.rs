//! Inner products of all features of two frames: `CorrBlock` of `core/corr.py`.

use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::{AvgPoolOptions, GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Levels of the pyramid; each halves the one before.
pub(super) const LEVELS: usize = 4;

/// Where the products are kept.
///
/// Of frames of 720x480, 5400 places each, the products of one pair take 155 MB in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correlation {
    /// Computed once for each pair, kept while it is refined.
    #[default]
    Stored,
    /// Computed again in each iteration, for so many places of the first frame at a time.
    Recomputed {
        /// Places at a time; 0 counts as 1.
        places: usize,
    },
}

/// The products of one batch of pairs, or the features they are made of.
#[derive(Debug)]
pub(super) struct Products {
    /// `[batch, places, channels]`
    first: Tensor<3>,
    /// `[batch, channels, places]`
    second: Tensor<3>,
    /// Height and width.
    size: [usize; 2],
    /// Offsets of a window, `[1, window, window, 2]`, right and down.
    window: Tensor<4>,
    /// Where they are stored: products of each place of the first frame with all of the second, finest level first,
    /// `[batch * places, 1, height, width]`.
    pub(super) pyramid: Option<Vec<Tensor<4>>>,
    /// Places of the first frame at a time.
    chunk: usize,
}

impl Products {
    /// # Shapes
    /// `first` and `second` `[batch, channels, height, width]`
    pub(super) fn new(first: Tensor<4>, second: Tensor<4>, window: usize, memory: Correlation) -> Self {
        let [batch, channels, height, width] = first.dims();
        let places = height * width;
        let device = first.device();
        let first: Tensor<3> = first.reshape([batch, channels, places]).swap_dims(1, 2);
        let second = second.reshape([batch, channels, places]);
        let size = [height, width];
        let (pyramid, chunk) = match memory {
            Correlation::Stored => (Some(pyramid(first.clone(), second.clone(), size)), places),
            Correlation::Recomputed { places: chunk } => (None, chunk.clamp(1, places)),
        };
        Self { first, second, size, window: offsets(window, &device), pyramid, chunk }
    }

    /// The products around where each place of the first frame is believed to go.
    ///
    /// # Shapes
    /// `to` `[batch, 2, height, width]`, column and row `-> [batch, levels * window^2, height, width]`
    pub(super) fn lookup(&self, to: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = to.dims();
        let places = height * width;
        let to: Tensor<3> = to.reshape([batch, 2, places]).swap_dims(1, 2);
        let mut chunks = Vec::with_capacity(places.div_ceil(self.chunk));
        for start in (0..places).step_by(self.chunk) {
            let count = self.chunk.min(places - start);
            let centres = to.clone().narrow(1, start, count).reshape([batch * count, 2]);
            let found = match &self.pyramid {
                Some(pyramid) => self.windows(pyramid, centres),
                None => {
                    let some = self.first.clone().narrow(1, start, count);
                    self.windows(&pyramid(some, self.second.clone(), self.size), centres)
                }
            };
            let found_size = found.dims()[1];
            chunks.push(found.reshape([batch, count, found_size]));
        }
        let found: Tensor<3> = Tensor::cat(chunks, 1).swap_dims(1, 2);
        let channels = found.dims()[1];
        found.reshape([batch, channels, height, width])
    }

    /// A window of each level around each centre, `[centres, levels * window^2]`.
    fn windows(&self, pyramid: &[Tensor<4>], centres: Tensor<2>) -> Tensor<2> {
        let count = centres.dims()[0];
        let options = GridSampleOptions::new(InterpolateMode::Bilinear)
            .with_padding_mode(GridSamplePaddingMode::Zeros)
            .with_align_corners(true);
        let level = |(index, products): (usize, &Tensor<4>)| {
            let [_, _, height, width] = products.dims();
            let centres = centres.clone().div_scalar((1_u32 << index) as f64).reshape([count, 1, 1, 2]);
            let places = centres + self.window.clone();
            // From places to -1 .. 1 between the middles of the first and the last.
            let [columns, rows] = [0, 1].map(|axis| places.clone().narrow(3, axis, 1));
            let unit = |x: Tensor<4>, size: usize| x.mul_scalar(2.0 / (size.max(2) - 1) as f64).sub_scalar(1.0);
            let grid = Tensor::cat(vec![unit(columns, width), unit(rows, height)], 3);
            let found = products.clone().grid_sample_2d(grid, options.clone());
            let size = found.dims()[2] * found.dims()[3];
            found.reshape([count, size])
        };
        Tensor::cat(pyramid.iter().enumerate().map(level).collect(), 1)
    }
}

/// Products and their averages over squares of 2, 4 and 8 places of the second frame.
fn pyramid(first: Tensor<3>, second: Tensor<3>, [height, width]: [usize; 2]) -> Vec<Tensor<4>> {
    let [batch, places, channels] = first.dims();
    let products = first.matmul(second).div_scalar((channels as f64).sqrt());
    let finest: Tensor<4> = products.reshape([batch * places, 1, height, width]);
    let halved = |level: &Tensor<4>| Some(avg_pool2d(level.clone(), AvgPoolOptions::new([2, 2])));
    std::iter::successors(Some(finest), halved).take(LEVELS).collect()
}

/// Offsets of a window; its slow axis goes to the right, as the original's does.
fn offsets(window: usize, device: &Device) -> Tensor<4> {
    let reach = (window / 2) as f32;
    let pairs = (0..window).flat_map(|i| (0..window).flat_map(move |j| [i as f32 - reach, j as f32 - reach]));
    Tensor::from_data(TensorData::new(pairs.collect(), [1, window, window, 2]), (device, DType::F32))
}
