//! Flow without weights: Lucas and Kanade at every pixel, from coarse to fine.

use skyreels_core::{Frame, Progress};

use super::plane::Plane;
use super::{FlowField, OpticalFlow, STAGE, common_size};
use crate::Result;

/// Lucas and Kanade's method ("An iterative image registration technique", IJCAI 1981) at every pixel of a pyramid (Bouguet, 2000).
///
/// Around each pixel the shift `d` is sought that makes a window of the next frame look like this one: `(A + r) d = b`, with `A` the
/// mean outer product of the gradient and `b` that of gradient and difference; `r` draws it to the mean shift around. It is within a pixel where there is texture; in
/// flat areas the coarser levels decide, and at edges of moving things it blurs. What the face-aware loss needs of it is which pixels
/// move much and which ones little; where RAFT's weights are at hand, use them.
#[derive(Debug, Clone, PartialEq)]
pub struct LucasKanade {
    /// Corrections at each level.
    pub iterations: usize,
    /// Pixels from the middle of a window to its edge.
    pub reach: usize,
    /// Added to the mean squared gradient, in (brightness of 0 to 1 per pixel) squared: larger ones trust flat areas less.
    pub regularisation: f32,
}

impl Default for LucasKanade {
    fn default() -> Self {
        Self { iterations: 4, reach: 4, regularisation: 1e-3 }
    }
}

/// The coarsest level of the pyramid keeps at least this many pixels along its shorter side.
const COARSEST: usize = 12;
/// A correction goes at most this far, in pixels of its level: beyond it the gradient says nothing.
const LONGEST_STEP: f32 = 1.5;

impl OpticalFlow for LucasKanade {
    fn between(&self, frames: &[Frame], progress: Progress) -> Result<Vec<FlowField>> {
        let size = common_size(frames)?;
        let mut last = pyramid(&frames[0]);
        let pairs = frames[1..].iter().enumerate();
        let flows = pairs.map(|(index, frame)| {
            let next = pyramid(frame);
            let [right, down] = self.flow(&last, &next);
            last = next;
            progress.report(STAGE, index as u64 + 1, Some(frames.len() as u64 - 1))?;
            FlowField::new(size, [right.values, down.values].concat())
        });
        flows.collect()
    }
}

/// Finest level first.
fn pyramid(frame: &Frame) -> Vec<Plane> {
    let halved = |plane: &Plane| (plane.width.min(plane.height) >= 2 * COARSEST).then(|| plane.halved());
    std::iter::successors(Some(Plane::grey(frame)), halved).collect()
}

impl LucasKanade {
    fn flow(&self, from: &[Plane], to: &[Plane]) -> [Plane; 2] {
        let mut flow: Option<[Plane; 2]> = None;
        for (from, to) in from.iter().zip(to).rev() {
            let start = match flow {
                None => [0, 1].map(|_| Plane::zeros(from.width, from.height)),
                // A pixel of the finer level lies at half its place in the coarser one, where it goes half as far.
                Some(coarse) => coarse.map(|part| from.map(|x, y| 2.0 * part.sample(x as f32 / 2.0, y as f32 / 2.0))),
            };
            flow = Some(self.refined(from, to, start));
        }
        flow.unwrap_or_else(|| [0, 1].map(|_| Plane::zeros(0, 0)))
    }

    fn refined(&self, from: &Plane, to: &Plane, [mut right, mut down]: [Plane; 2]) -> [Plane; 2] {
        let window = vec![1.0 / (2 * self.reach + 1) as f32; 2 * self.reach + 1];
        let slope = |plane: &Plane, step: [isize; 2]| {
            plane.map(|x, y| {
                let (x, y) = (x as isize, y as isize);
                (plane.at(x + step[0], y + step[1]) - plane.at(x - step[0], y - step[1])) / 2.0
            })
        };
        let (across, along) = (slope(from, [1, 0]), slope(from, [0, 1]));
        let product = |a: &Plane, b: &Plane| {
            let values = a.values.iter().zip(&b.values).map(|(a, b)| a * b).collect();
            Plane { values, ..*a }.filtered(&window)
        };
        let (xx, xy, yy) = (product(&across, &across), product(&across, &along), product(&along, &along));
        for _ in 0..self.iterations {
            // What the gradient of each pixel says about the flow along it: the difference that is left, and the flow so far.
            let said = from.map(|x, y| {
                let i = y * from.width + x;
                let left = from.values[i] - to.sample(x as f32 + right.values[i], y as f32 + down.values[i]);
                left + across.values[i] * right.values[i] + along.values[i] * down.values[i]
            });
            let (x, y) = (product(&across, &said), product(&along, &said));
            let (near_right, near_down) = (right.filtered(&window), down.filtered(&window));
            let trust = self.regularisation;
            for i in 0..from.values.len() {
                let (a, b, c) = (xx.values[i] + trust, xy.values[i], yy.values[i] + trust);
                let (x, y) = (x.values[i] + trust * near_right.values[i], y.values[i] + trust * near_down.values[i]);
                // Positive: a Gram matrix and a positive diagonal.
                let determinant = a * c - b * b;
                let step =
                    [(c * x - b * y) / determinant - right.values[i], (a * y - b * x) / determinant - down.values[i]];
                let shorter = LONGEST_STEP / step[0].hypot(step[1]).max(LONGEST_STEP);
                right.values[i] += step[0] * shorter;
                down.values[i] += step[1] * shorter;
            }
        }
        (right, down) = (right.median(), down.median());
        [right, down]
    }
}
