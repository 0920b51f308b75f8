//! BlazeFace (short range): where faces are in a square of the frame.
//!
//! Anchors and decoding follow `SsdAnchorsCalculator`, `TensorsToDetectionsCalculator` and
//! `NonMaxSuppressionCalculator` of MediaPipe 0.10.

use burn::tensor::Device;

use super::networks::{FaceNetwork, sigmoid};
use super::warp::{Border, Region, warp};
use crate::Result;
use crate::task::FaceTask;
use skyreels_core::Frame;

/// Side of the network's input.
const SIDE: usize = 128;
/// Pixels are mapped to -1..1.
const PIXEL_RANGE: [f32; 2] = [2.0 / 255.0, -1.0];
/// Cells per side and anchors per cell of the two groups of anchors.
const ANCHOR_GRIDS: [(usize, usize); 2] = [(16, 2), (8, 6)];
const ANCHORS: usize = 896;
/// Box (centre, size) and six keypoints.
const VALUES_PER_ANCHOR: usize = 16;
const KEYPOINTS: usize = 6;
/// Scores are clamped before the sigmoid.
const SCORE_CLAMP: f32 = 100.0;
/// Boxes that overlap more than this describe the same face.
const SAME_FACE_IOU: f32 = 0.5;

/// A face box with its keypoints: right eye, left eye, nose, mouth, right ear, left ear.
///
/// Coordinates are relative to the frame (0..1 each way); boxes may reach outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detection {
    pub(crate) score: f32,
    pub(crate) min: [f32; 2],
    pub(crate) size: [f32; 2],
    pub(crate) keypoints: [[f32; 2]; KEYPOINTS],
}

impl Detection {
    /// The lower right corner of the box.
    pub(crate) fn max(&self) -> [f32; 2] {
        [0, 1].map(|d| self.min[d] + self.size[d])
    }
}

/// A square of the frame, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square {
    pub(crate) center: [f32; 2],
    pub(crate) side: f32,
}

impl Square {
    /// The smallest square around the whole frame.
    pub(crate) fn whole(frame: &Frame) -> Self {
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        Self { center: [0.5 * width, 0.5 * height], side: width.max(height) }
    }
}

pub(crate) struct Detector {
    network: FaceNetwork,
    anchors: Vec<[f32; 2]>,
}

impl Detector {
    pub(crate) fn new(task: &FaceTask, device: &Device) -> Result<Self> {
        let input = [1, SIDE, SIDE, 3];
        let outputs = [ANCHORS * VALUES_PER_ANCHOR, ANCHORS];
        let network = FaceNetwork::new(task, "face_detector.tflite", &task.detector, device, input, &outputs)?;
        Ok(Self { network, anchors: anchors() })
    }

    /// Faces inside a square of the frame with at least the given score, best first.
    pub(crate) fn detect(&self, frame: &Frame, square: Square, min_score: f32) -> Result<Vec<Detection>> {
        let region = Region { center: square.center, size: [square.side; 2], rotation: 0.0 };
        let outputs = self.network.run(warp(frame, &region, SIDE, Border::Black, PIXEL_RANGE))?;
        let mut candidates = decode(&outputs[0], &outputs[1], &self.anchors, min_score);
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut faces = merge(candidates);
        let projection = region.projection([frame.width() as f32, frame.height() as f32]);
        for face in &mut faces {
            let max = projection.apply(face.max());
            face.min = projection.apply(face.min);
            face.size = [0, 1].map(|d| max[d] - face.min[d]);
            face.keypoints = face.keypoints.map(|point| projection.apply(point));
        }
        Ok(faces)
    }
}

/// Centres of the anchors; their size is 1, so that offsets need no scaling.
fn anchors() -> Vec<[f32; 2]> {
    let mut anchors = Vec::with_capacity(ANCHORS);
    for (cells, per_cell) in ANCHOR_GRIDS {
        let center = |i: usize| (i as f32 + 0.5) / cells as f32;
        for y in 0..cells {
            for x in 0..cells {
                anchors.extend(std::iter::repeat_n([center(x), center(y)], per_cell));
            }
        }
    }
    anchors
}

/// Candidates with at least `min_score`, relative to the square.
fn decode(values: &[f32], scores: &[f32], anchors: &[[f32; 2]], min_score: f32) -> Vec<Detection> {
    let rows = values.chunks_exact(VALUES_PER_ANCHOR).zip(scores).zip(anchors);
    rows.filter_map(|((row, &score), anchor)| {
        let score = sigmoid(score.clamp(-SCORE_CLAMP, SCORE_CLAMP));
        let point = |i: usize| [row[i] / SIDE as f32 + anchor[0], row[i + 1] / SIDE as f32 + anchor[1]];
        let center = point(0);
        let half = [row[2] / SIDE as f32 / 2.0, row[3] / SIDE as f32 / 2.0];
        // Both comparisons are also false for what is not a number.
        let usable = score >= min_score && half.iter().all(|&h| h >= 0.0);
        let min = [0, 1].map(|d| center[d] - half[d]);
        usable.then(|| Detection {
            score,
            min,
            size: [0, 1].map(|d| center[d] + half[d] - min[d]),
            keypoints: std::array::from_fn(|k| point(4 + 2 * k)),
        })
    })
    .collect()
}

/// Weighted non-maximum suppression of candidates sorted best first.
///
/// Each face is the average of all boxes that overlap its best one, weighted by score; it keeps the best score.
fn merge(mut candidates: Vec<Detection>) -> Vec<Detection> {
    let mut faces = Vec::new();
    while let Some(&best) = candidates.first() {
        let before = candidates.len();
        let (same, rest): (Vec<_>, Vec<_>) = candidates.iter().partition(|c| overlap(&best, c) > SAME_FACE_IOU);
        faces.push(if same.is_empty() { best } else { average(best.score, &same) });
        // A box without area overlaps nothing, not even itself.
        if rest.len() == before {
            break;
        }
        candidates = rest;
    }
    faces
}

/// Mean of detections weighted by their scores.
fn average(score: f32, detections: &[Detection]) -> Detection {
    let total: f32 = detections.iter().map(|d| d.score).sum();
    let mean = |pick: &dyn Fn(&Detection) -> [f32; 2]| {
        let sum = detections.iter().fold([0.0, 0.0], |sum, d| {
            let [x, y] = pick(d);
            [sum[0] + d.score * x, sum[1] + d.score * y]
        });
        [sum[0] / total, sum[1] / total]
    };
    let (min, max) = (mean(&|d| d.min), mean(&Detection::max));
    Detection {
        score,
        min,
        size: [0, 1].map(|d| max[d] - min[d]),
        keypoints: std::array::from_fn(|k| mean(&|d| d.keypoints[k])),
    }
}

/// Intersection over union.
fn overlap(a: &Detection, b: &Detection) -> f32 {
    let side = |d: usize| (a.max()[d].min(b.max()[d]) - a.min[d].max(b.min[d])).max(0.0);
    let area = |d: &Detection| d.size[0] * d.size[1];
    let intersection = side(0) * side(1);
    let union = area(a) + area(b) - intersection;
    if union > 0.0 { intersection / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detection(score: f32, x: f32) -> Detection {
        Detection { score, min: [x, 0.0], size: [1.0, 1.0], keypoints: [[x, 0.5]; KEYPOINTS] }
    }

    #[test]
    fn there_are_896_anchors_inside_the_square() {
        let anchors = anchors();
        assert_eq!(anchors.len(), ANCHORS);
        assert_eq!(anchors[0], [0.5 / 16.0; 2]);
        assert_eq!(anchors[ANCHORS - 1], [7.5 / 8.0; 2]);
    }

    #[test]
    fn overlapping_boxes_are_averaged_by_score_and_others_stay() {
        let faces = merge(vec![detection(0.75, 0.0), detection(0.25, 0.2), detection(0.2, 3.0)]);
        assert_eq!(faces.len(), 2);
        assert_eq!(faces[0].score, 0.75);
        assert!((faces[0].min[0] - 0.05).abs() < 1e-6);
        assert!((faces[0].keypoints[3][0] - 0.05).abs() < 1e-6);
        assert_eq!(faces[1], detection(0.2, 3.0));
    }

    #[test]
    fn boxes_without_area_or_number_end_the_search() {
        let mut point = detection(0.9, 0.0);
        point.size = [0.0; 2];
        assert_eq!(merge(vec![point, point]).len(), 1);
        let mut nan = detection(0.9, f32::NAN);
        nan.size = [f32::NAN; 2];
        assert_eq!(merge(vec![nan, detection(0.8, 0.0)]).len(), 1);
    }
}
