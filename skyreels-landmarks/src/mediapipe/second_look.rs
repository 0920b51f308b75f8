//! Where to look again when the whole frame shows no face.
//!
//! The detector sees the frame at 128 pixels; a face of less than a tenth of it is too small to be recognised, though
//! often a weak box is there. Around such a box, or tile by tile, the same networks see it large enough.

use super::detector::{Detection, Square};
use super::landmarker::Sight;
use skyreels_core::Frame;

/// A box this weak is worth a closer look.
pub(super) const WEAK_SCORE: f32 = 0.1;
/// Most weak boxes looked at.
const MAX_BOXES: usize = 4;
/// Sides of the squares around a box, relative to the box: the second shows more of the surroundings.
const BOX_SCALES: [f32; 2] = [2.0, 4.0];
/// Sides of the tiles relative to the frame's shorter side; neighbours overlap by half.
const TILE_SCALES: [f32; 2] = [1.0, 0.5];
/// Longest row or column of tiles, for frames that are mere stripes.
const MAX_TILES: usize = 16;
/// Faces that overlap more than this are the same one, seen in two tiles.
const SAME_FACE_IOU: f32 = 0.3;

/// Squares around weak detections.
pub(super) fn around(weak: &[Detection], frame: &Frame) -> Vec<Square> {
    let size = [frame.width() as f32, frame.height() as f32];
    let square = |detection: &Detection, scale: f32| {
        let extent: [f32; 2] = std::array::from_fn(|d| detection.size[d] * size[d]);
        let center = std::array::from_fn(|d| (detection.min[d] + 0.5 * detection.size[d]) * size[d]);
        Square { center, side: (extent[0].max(extent[1]) * scale).max(1.0) }
    };
    weak.iter().take(MAX_BOXES).flat_map(|d| BOX_SCALES.map(|scale| square(d, scale))).collect()
}

/// Overlapping tiles over the whole frame, large ones first.
pub(super) fn tiles(frame: &Frame) -> Vec<Square> {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let mut squares = Vec::new();
    for scale in TILE_SCALES {
        let side = (width.min(height) * scale).max(1.0);
        for y in centers(height, side) {
            squares.extend(centers(width, side).map(|x| Square { center: [x, y], side }));
        }
    }
    squares
}

/// Centres of tiles of a side along an axis, evenly spread, at most half a side apart if there are enough.
fn centers(length: f32, side: f32) -> impl Iterator<Item = f32> {
    let steps = (((length - side) / (0.5 * side)).ceil() as usize).min(MAX_TILES - 1);
    (0..=steps).map(move |i| 0.5 * side + (length - side) * i as f32 / steps.max(1) as f32)
}

/// The surest faces, each once.
pub(super) fn best(mut found: Vec<Sight>, most: usize) -> Vec<Sight> {
    found.sort_by(|a, b| (b.presence * b.score).total_cmp(&(a.presence * a.score)));
    let mut faces: Vec<Sight> = Vec::new();
    for face in found {
        if faces.len() == most {
            break;
        }
        if faces.iter().all(|kept| overlap(&kept.bbox, &face.bbox) < SAME_FACE_IOU) {
            faces.push(face);
        }
    }
    faces
}

fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let side = |d: usize| (a[d + 2].min(b[d + 2]) - a[d].max(b[d])).max(0.0);
    let area = |r: &[f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let shared = side(0) * side(1);
    let union = area(a) + area(b) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_frame_and_stay_few() {
        for (width, height) in [(1280, 720), (720, 1280), (1, 1), (4000, 10), (512, 512)] {
            let tiles = tiles(&Frame::new(width, height));
            assert!(tiles.len() <= 2 * MAX_TILES * 3, "{} tiles", tiles.len());
            let first = tiles[0];
            assert_eq!(first.center, [0.5 * first.side; 2]);
            let large = tiles.iter().filter(|t| t.side == first.side);
            let reach = large.map(|t| t.center[0] + 0.5 * t.side).fold(0.0, f32::max);
            assert!((reach - width as f32).abs() < 1e-2);
        }
    }
}
