//! From the network's numbers to faces in pixels.

use crate::FaceBox;
use crate::detection::{Areas, Detection, non_maximum_suppression};

/// Boxes that are tried at each place.
const ANCHORS: usize = 2;
/// Faces below this score are not counted by the original.
pub const SCORE_THRESHOLD: f32 = 0.5;
/// Boxes that overlap by more are one face.
pub const OVERLAP: f32 = 0.4;
/// Weight of the squared distance from the middle against the area.
const CENTRAL: f32 = 2.0;

/// What the network says at the places of one stride, row by row, two anchors at each place.
#[derive(Debug, Clone, PartialEq)]
pub struct StrideOutput {
    /// Pixels of the input from one place to the next.
    pub stride: usize,
    /// How sure it is of a face, 0..1.
    pub scores: Vec<f32>,
    /// From the place to the left, upper, right and lower edge, in strides.
    pub edges: Vec<[f32; 4]>,
    /// From the place to the five points, in strides.
    pub points: Vec<[f32; 10]>,
}

/// Every box with at least `threshold`, in pixels of the picture, best first.
///
/// The places of an input `width` pixels wide are the upper left corners of its cells; `scale` is that of the
/// [`Letterbox`](super::Letterbox).
pub fn candidates(outputs: &[StrideOutput], width: u32, scale: f64, threshold: f32) -> Vec<Detection> {
    let scale = scale as f32;
    let mut found: Vec<Detection> = Vec::new();
    for output in outputs {
        let stride = output.stride.max(1);
        let columns = (width as usize / stride).max(1);
        let rows = output.scores.iter().zip(&output.edges).zip(&output.points).enumerate();
        for (index, ((score, edges), points)) in rows.filter(|(_, ((score, _), _))| **score >= threshold) {
            let place = index / ANCHORS;
            let center = [place % columns, place / columns].map(|cell| (cell * stride) as f32);
            let [left, top, right, bottom] = edges.map(|distance| distance * stride as f32);
            let pixel = |axis: usize, offset: f32| (center[axis] + offset) / scale;
            let bbox = FaceBox {
                left: pixel(0, -left),
                top: pixel(1, -top),
                right: pixel(0, right),
                bottom: pixel(1, bottom),
            };
            let point = |i: usize| [0, 1].map(|axis| pixel(axis, points[2 * i + axis] * stride as f32));
            found.push(Detection { bbox, score: *score, points: std::array::from_fn(point) });
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// One face for each group of overlapping candidates, which must come best first.
pub fn faces(candidates: &[Detection], overlap: f32) -> Vec<Detection> {
    let corners = |face: &Detection| [face.bbox.left, face.bbox.top, face.bbox.right, face.bbox.bottom];
    let corners: Vec<[f32; 4]> = candidates.iter().map(corners).collect();
    non_maximum_suppression(&corners, overlap, Areas::Inclusive).into_iter().map(|index| candidates[index]).collect()
}

/// Which faces are kept when there are more than are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// Large ones near the middle of the picture.
    #[default]
    LargeAndCentral,
    /// Large ones.
    Large,
}

/// At most `count` faces of a picture of `size` = width, height: all of them in their order, or the preferred ones first.
pub fn preferred(faces: &[Detection], count: usize, preference: Preference, size: [u32; 2]) -> Vec<Detection> {
    if faces.len() <= count {
        return faces.to_vec();
    }
    let middle = size.map(|v| (v / 2) as f32);
    let value = |face: &Detection| match preference {
        Preference::Large => face.area(),
        Preference::LargeAndCentral => {
            let [x, y] = face.center();
            face.area() - ((x - middle[0]).powi(2) + (y - middle[1]).powi(2)) * CENTRAL
        }
    };
    let mut chosen = faces.to_vec();
    chosen.sort_by(|a, b| value(b).total_cmp(&value(a)));
    chosen.truncate(count);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> StrideOutput {
        // A picture of 4x2 cells with two anchors each.
        let mut output = StrideOutput {
            stride: 8,
            scores: vec![0.0; 16],
            edges: vec![[1.0, 1.0, 2.0, 3.0]; 16],
            points: vec![[0.5; 10]; 16],
        };
        (output.scores[3], output.scores[10], output.scores[11]) = (0.6, 0.9, 0.8);
        output
    }

    #[test]
    fn places_are_corners_of_cells_in_pixels_of_the_picture() {
        let found = candidates(&[output()], 32, 0.5, 0.5);
        assert_eq!(found.len(), 3);
        // Anchor 10 is the first of cell 5: column 1, row 1.
        assert_eq!(found[0].bbox, FaceBox { left: 0.0, top: 0.0, right: 48.0, bottom: 64.0 });
        assert_eq!(found[0].points[2], [24.0, 24.0]);
        assert_eq!(found[2].bbox, FaceBox { left: 0.0, top: -16.0, right: 48.0, bottom: 48.0 });
    }

    #[test]
    fn one_face_remains_of_boxes_that_overlap() {
        let found = candidates(&[output()], 32, 0.5, 0.5);
        assert_eq!(faces(&found, OVERLAP).len(), 1);
        assert_eq!(faces(&found, 1.0).len(), 3);
    }

    #[test]
    fn fewer_faces_are_the_large_and_central_ones() {
        let face = |x: f32, side: f32| Detection {
            bbox: FaceBox { left: x, top: 40.0, right: x + side, bottom: 40.0 + side },
            score: 0.9,
            points: [[0.0; 2]; 5],
        };
        let all = [face(0.0, 24.0), face(45.0, 20.0)];
        assert_eq!(preferred(&all, 1, Preference::Large, [100, 100]), [all[0]]);
        assert_eq!(preferred(&all, 1, Preference::LargeAndCentral, [100, 100]), [all[1]]);
        assert_eq!(preferred(&all, 2, Preference::Large, [100, 100]), all);
    }
}
