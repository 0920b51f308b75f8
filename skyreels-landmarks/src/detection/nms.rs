//! Non-maximum suppression: of boxes that overlap, the best one, or their mean.

/// How the area of a box is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Areas {
    /// Corners are points: width times height (torchvision, RetinaFace).
    Continuous,
    /// Corners are pixels that belong to the box: one more in each direction (SCRFD).
    Inclusive,
}

impl Areas {
    /// Intersection over union of two boxes `left, top, right, bottom`.
    fn overlap(self, a: &[f32; 4], b: &[f32; 4]) -> f32 {
        let more = if self == Self::Inclusive { 1.0 } else { 0.0 };
        let area = |b: &[f32; 4]| (b[2] - b[0] + more) * (b[3] - b[1] + more);
        let side = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis]) + more).max(0.0);
        let shared = side(0) * side(1);
        shared / (area(a) + area(b) - shared)
    }
}

/// Indices of the boxes that stay: each drops all later ones that overlap it by more than `threshold`.
///
/// `boxes` are `left, top, right, bottom`, best first.
pub fn non_maximum_suppression(boxes: &[[f32; 4]], threshold: f32, areas: Areas) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for (index, candidate) in boxes.iter().enumerate() {
        // An overlap that is not a number (a box without area) drops nothing.
        if !kept.iter().any(|best| areas.overlap(&boxes[*best], candidate) > threshold) {
            kept.push(index);
        }
    }
    kept
}

/// Boxes that overlap the best one by more than `threshold` become one: the mean of their `N - 1` first numbers weighted by
/// score, with the mean of their scores (the variant of BlazeFace-PyTorch).
///
/// Each row is a box (its first four numbers, opposite corners), anything else that is to be averaged, and last the score.
/// A box that overlaps nothing else stays as it is. MediaPipe itself keeps the best score instead of the mean.
pub fn weighted_non_maximum_suppression<const N: usize>(rows: &[[f32; N]], threshold: f32) -> Vec<[f32; N]> {
    const { assert!(N > 4, "a box and a score") };
    let corners = |row: &[f32; N]| [row[0], row[1], row[2], row[3]];
    let score = |row: &[f32; N]| row[N - 1];
    let mut rest = rows.to_vec();
    rest.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let mut merged = Vec::new();
    while let Some(best) = rest.first().copied() {
        let same = |row: &[f32; N]| Areas::Continuous.overlap(&corners(&best), &corners(row)) > threshold;
        let (group, others): (Vec<_>, Vec<_>) = rest[1..].iter().partition(|row| same(row));
        let group: Vec<[f32; N]> = std::iter::once(best).chain(group).collect();
        merged.push(if group.len() == 1 { best } else { mean(&group) });
        rest = others;
    }
    merged
}

/// Mean of rows weighted by their last number, which becomes its own plain mean.
fn mean<const N: usize>(rows: &[[f32; N]]) -> [f32; N] {
    let weights = || rows.iter().map(|row| f64::from(row[N - 1]));
    let total: f64 = weights().sum();
    std::array::from_fn(|column| {
        if column == N - 1 {
            return (total / rows.len() as f64) as f32;
        }
        (rows.iter().zip(weights()).map(|(row, weight)| f64::from(row[column]) * weight).sum::<f64>() / total) as f32
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxes() -> impl Strategy<Value = Vec<[f32; 4]>> {
        let one = (prop::array::uniform2(0.0f32..50.0), prop::array::uniform2(1.0f32..30.0));
        prop::collection::vec(one.prop_map(|([x, y], [w, h])| [x, y, x + w, y + h]), 0..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_stays_does_not_overlap_and_what_goes_overlaps_a_better_one(boxes in boxes(), threshold in 0.1f32..0.9) {
            for areas in [Areas::Continuous, Areas::Inclusive] {
                let kept = non_maximum_suppression(&boxes, threshold, areas);
                for (index, candidate) in boxes.iter().enumerate() {
                    let beaten = kept.iter().any(|k| *k < index && areas.overlap(&boxes[*k], candidate) > threshold);
                    prop_assert_eq!(kept.contains(&index), !beaten);
                }
            }
        }

        #[test]
        fn a_merged_box_lies_within_its_group(boxes in boxes(), threshold in 0.1f32..0.9) {
            let rows: Vec<[f32; 5]> = boxes.iter().enumerate()
                .map(|(i, b)| [b[0], b[1], b[2], b[3], 0.1 + 0.01 * i as f32]).collect();
            let merged = weighted_non_maximum_suppression(&rows, threshold);
            prop_assert!(merged.len() <= rows.len() && merged.is_empty() == rows.is_empty());
            for row in &merged {
                prop_assert!(row[..4].iter().all(|v| (-1e-3..=80.001).contains(v)));
                prop_assert!(row[4] >= 0.0999 && row[4] <= 0.5);
            }
        }
    }

    #[test]
    fn boxes_without_area_or_number_do_not_stop_the_search() {
        let bad = [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [f32::NAN; 4]];
        assert_eq!(non_maximum_suppression(&bad, 0.4, Areas::Continuous).len(), 3);
        let rows = [[f32::NAN; 5], [0.0, 0.0, 0.0, 0.0, 0.5]];
        assert_eq!(weighted_non_maximum_suppression(&rows, 0.3).len(), 2);
    }
}
