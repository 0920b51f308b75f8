//! A flow field on the host.

use crate::world;
use crate::{Error, Result};

/// How far each pixel of a frame goes to the right and down, in pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowField {
    size: [u32; 2],
    vectors: Vec<f32>,
}

impl FlowField {
    /// A field of `size`, width and height.
    ///
    /// # Shapes
    /// `vectors` `[2, height, width]`: all horizontal parts, then all vertical ones, row by row.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `vectors` has another length.
    pub fn new(size: [u32; 2], vectors: Vec<f32>) -> Result<Self> {
        if vectors.len() != 2 * size[0] as usize * size[1] as usize {
            let reason = format!("{} numbers for {} x {} vectors", vectors.len(), size[0], size[1]);
            return Err(Error::Invalid { what: "flow", reason });
        }
        Ok(Self { size, vectors })
    }

    /// Width and height.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// # Shapes
    /// `[2, height, width]`: all horizontal parts, then all vertical ones, row by row.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Length of each vector in pixels, what [`FaceAware`](crate::loss::FaceAware) takes.
    ///
    /// # Shapes
    /// `[height * width]`, row by row
    pub fn magnitude(&self) -> Vec<f32> {
        let (right, down) = self.parts();
        right.iter().zip(down).map(|(u, v)| u.hypot(*v)).collect()
    }

    /// Mean distance between the ends of the vectors of two fields in pixels, over the pixels that `counts` admits by
    /// their index.
    ///
    /// # Panics
    /// When sizes differ.
    pub fn end_point_error(&self, truth: &Self, counts: impl Fn(usize) -> bool) -> f64 {
        assert_eq!(self.size, truth.size, "fields of one size");
        let ((u, v), (true_u, true_v)) = (self.parts(), truth.parts());
        let errors = (0..u.len()).filter(|i| counts(*i)).map(|i| f64::from((u[i] - true_u[i]).hypot(v[i] - true_v[i])));
        let (sum, count) = errors.fold((0.0, 0_usize), |(sum, count), error| (sum + error, count + 1));
        sum / count.max(1) as f64
    }

    fn parts(&self) -> (&[f32], &[f32]) {
        self.vectors.split_at(self.vectors.len() / 2)
    }
}

impl From<world::Flow> for FlowField {
    fn from(flow: world::Flow) -> Self {
        Self { size: flow.size(), vectors: flow.vectors().to_vec() }
    }
}
