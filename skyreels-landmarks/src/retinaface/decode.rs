//! From numbers relative to anchors to faces in pixels.

use crate::FaceBox;
use crate::detection::{Areas, Detection, non_maximum_suppression};

/// Pixels from one place to the next on each level, and the sides of the anchors there.
const LEVELS: [(usize, [f64; 2]); 3] = [(8, [16.0, 32.0]), (16, [64.0, 128.0]), (32, [256.0, 512.0])];
/// Offsets are in units of this part of an anchor, logarithms of sizes in units of that.
const VARIANCE: [f64; 2] = [0.1, 0.2];
/// Boxes that overlap by more are one face.
const OVERLAP: f32 = 0.4;
/// Faces below this score are not counted by the original.
pub const SCORE_THRESHOLD: f32 = 0.97;

/// The anchors of a picture: centre and size of each, relative to the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Priors {
    anchors: Vec<[f64; 4]>,
    size: [f64; 2],
}

impl Priors {
    /// The anchors of a picture of `size` = width, height: finest level first, row by row, the smaller anchor first.
    ///
    /// Levels have as many places as begin in the picture.
    pub fn of(size: [u32; 2]) -> Self {
        let pixels = size.map(f64::from);
        let mut anchors = Vec::new();
        for (step, sides) in LEVELS {
            let [columns, rows] = size.map(|v| (v as usize).div_ceil(step));
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let center = |at: usize, axis: usize| (at as f64 + 0.5) * step as f64 / pixels[axis];
                let anchor = |side: f64| [center(column, 0), center(row, 1), side / pixels[0], side / pixels[1]];
                anchors.extend(sides.map(anchor));
            }
        }
        Self { anchors, size: pixels }
    }

    /// Centre x and y, width and height of each anchor, relative to the picture.
    pub fn anchors(&self) -> &[[f64; 4]] {
        &self.anchors
    }

    /// Corners `left, top, right, bottom` in pixels of the box that `offsets` describe for anchor `index`.
    pub(crate) fn corners(&self, index: usize, offsets: &[f32; 4]) -> [f64; 4] {
        let [x, y, width, height] = self.anchors[index];
        let offsets = offsets.map(f64::from);
        let center = [x + offsets[0] * VARIANCE[0] * width, y + offsets[1] * VARIANCE[0] * height];
        let extent = [width * (offsets[2] * VARIANCE[1]).exp(), height * (offsets[3] * VARIANCE[1]).exp()];
        let near = [0, 1].map(|k| center[k] - extent[k] / 2.0);
        let far = [0, 1].map(|k| near[k] + extent[k]);
        [near[0] * self.size[0], near[1] * self.size[1], far[0] * self.size[0], far[1] * self.size[1]]
    }

    /// Pixels of the five points that `offsets` describe for anchor `index`.
    pub(crate) fn points(&self, index: usize, offsets: &[f32; 10]) -> [[f64; 2]; 5] {
        let [x, y, width, height] = self.anchors[index];
        std::array::from_fn(|point| {
            let [dx, dy] = [offsets[2 * point], offsets[2 * point + 1]].map(f64::from);
            [(x + dx * VARIANCE[0] * width) * self.size[0], (y + dy * VARIANCE[0] * height) * self.size[1]]
        })
    }

    /// Faces with more than `threshold` of certainty, best first, one for each group of overlapping boxes.
    ///
    /// `boxes`, `scores` and `points` have one entry per anchor.
    pub(crate) fn faces(
        &self,
        boxes: &[[f32; 4]],
        scores: &[f32],
        points: &[[f32; 10]],
        threshold: f32,
    ) -> Vec<Detection> {
        let above = (0..self.anchors.len()).filter(|index| scores[*index] > threshold);
        let mut faces: Vec<Detection> = above
            .map(|index| {
                let [left, top, right, bottom] = self.corners(index, &boxes[index]).map(|v| v as f32);
                Detection {
                    bbox: FaceBox { left, top, right, bottom },
                    score: scores[index],
                    points: self.points(index, &points[index]).map(|point| point.map(|v| v as f32)),
                }
            })
            .collect();
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        let corners = |face: &Detection| [face.bbox.left, face.bbox.top, face.bbox.right, face.bbox.bottom];
        let corners: Vec<[f32; 4]> = faces.iter().map(corners).collect();
        non_maximum_suppression(&corners, OVERLAP, Areas::Continuous).into_iter().map(|index| faces[index]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_a_place_for_every_step_that_begins_in_the_picture() {
        assert_eq!(Priors::of([160, 160]).anchors().len(), 1050);
        assert_eq!(Priors::of([170, 150]).anchors().len(), 1116);
        assert_eq!(Priors::of([1, 1]).anchors().len(), 6);
    }

    #[test]
    fn no_offset_is_the_anchor_itself() {
        let priors = Priors::of([64, 32]);
        let [left, top, right, bottom] = priors.corners(0, &[0.0; 4]);
        assert!([left + 4.0, top + 4.0, right - 12.0, bottom - 12.0].iter().all(|v| v.abs() < 1e-9));
        assert!(priors.points(0, &[0.0; 10]).as_flattened().iter().all(|v| (v - 4.0).abs() < 1e-9));
    }
}
