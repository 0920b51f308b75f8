//! Grey pictures of floats.

use rayon::prelude::*;
use skyreels_core::Frame;

/// Shares of red, green and blue in brightness (ITU-R BT.601).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
/// Binomial filter that goes before halving.
const BINOMIAL: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];

/// Numbers `[height, width]`, row by row; beyond the edge the nearest one counts.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn zeros(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; width * height] }
    }

    /// Brightness, 0 to 1.
    pub(super) fn grey(frame: &Frame) -> Self {
        let grey = |pixel: &image::Rgb<u8>| (0..3).map(|i| LUMA[i] * f32::from(pixel[i])).sum::<f32>() / 255.0;
        let values = frame.pixels().map(grey).collect();
        Self { width: frame.width() as usize, height: frame.height() as usize, values }
    }

    /// A plane of the same size, from column and row.
    pub(super) fn map(&self, value: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let mut values = vec![0.0; self.values.len()];
        let rows = values.par_chunks_mut(self.width.max(1)).enumerate();
        rows.for_each(|(y, row)| row.iter_mut().enumerate().for_each(|(x, to)| *to = value(x, y)));
        Self { values, ..*self }
    }

    pub(super) fn at(&self, x: isize, y: isize) -> f32 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.values[y * self.width + x]
    }

    /// Bilinear between the middles of pixels.
    pub(super) fn sample(&self, x: f32, y: f32) -> f32 {
        let (x, y) = (x.clamp(0.0, self.width as f32 - 1.0), y.clamp(0.0, self.height as f32 - 1.0));
        let (left, top) = (x.floor(), y.floor());
        let (right, down) = (x - left, y - top);
        let (i, j) = (left as isize, top as isize);
        let row = |j| self.at(i, j) * (1.0 - right) + self.at(i + 1, j) * right;
        row(j) * (1.0 - down) + row(j + 1) * down
    }

    /// Half the size, rounded up, after a binomial filter.
    pub(super) fn halved(&self) -> Self {
        let blurred = self.filtered(&BINOMIAL);
        let half = Self::zeros(self.width.div_ceil(2), self.height.div_ceil(2));
        half.map(|x, y| blurred.at(2 * x as isize, 2 * y as isize))
    }

    /// Filtered along rows, then along columns.
    pub(super) fn filtered(&self, weights: &[f32]) -> Self {
        let reach = weights.len() as isize / 2;
        let sum = |plane: &Self, x: usize, y: usize, step: [isize; 2]| {
            let value = |(i, weight): (usize, &f32)| {
                let away = i as isize - reach;
                weight * plane.at(x as isize + away * step[0], y as isize + away * step[1])
            };
            weights.iter().enumerate().map(value).sum()
        };
        let rows = self.map(|x, y| sum(self, x, y, [1, 0]));
        rows.map(|x, y| sum(&rows, x, y, [0, 1]))
    }

    /// The middle one of each window of 3x3.
    pub(super) fn median(&self) -> Self {
        self.map(|x, y| {
            let mut window = [0.0; 9];
            for (i, to) in window.iter_mut().enumerate() {
                *to = self.at(x as isize + i as isize % 3 - 1, y as isize + i as isize / 3 - 1);
            }
            *window.select_nth_unstable_by(4, f32::total_cmp).1
        })
    }
}
