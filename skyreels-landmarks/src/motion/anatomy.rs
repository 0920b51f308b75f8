//! Which points of the mesh are lids, irises, brows and lips, and where along them each one lies.

use crate::draw::contours::{FACE_OVAL, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS};

/// A side of the person, not of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Right,
    Left,
}

pub(crate) const SIDES: [Side; 2] = [Side::Right, Side::Left];

/// A row of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// The upper lid without the corners.
    UpperLid(Side),
    /// The lower lid without the corners.
    LowerLid(Side),
    /// Centre and rim of the iris.
    Iris(Side),
    /// Both rows of the brow; the way along it goes from the temple to the nose.
    Brow(Side),
    /// Outer and inner edge of the upper lip, corners included.
    UpperLip,
    /// Outer and inner edge of the lower lip without the corners.
    LowerLip,
    /// Outer edge of the lower lip without the corners.
    LowerLipRim,
    /// Outer edge of the upper lip without the corners.
    UpperLipRim,
    /// The outline of the face below the mouth, the tip of the chin in the middle.
    Chin,
}

/// Lower, then upper edge of the brow, from the temple to the nose.
pub(crate) const RIGHT_BROW: [[usize; 5]; 2] = [[46, 53, 52, 65, 55], [70, 63, 105, 66, 107]];
pub(crate) const LEFT_BROW: [[usize; 5]; 2] = [[276, 283, 282, 295, 285], [300, 293, 334, 296, 336]];
/// Outer, then inner edge of the upper lip, from the right corner to the left one.
pub(crate) const UPPER_LIP: [[usize; 11]; 2] =
    [[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291], [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]];
/// Outer, then inner edge of the lower lip, from the right corner to the left one.
pub(crate) const LOWER_LIP: [[usize; 11]; 2] =
    [[61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291], [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]];
/// Part of the face's outline, in its order, that is the chin.
const CHIN: std::ops::RangeInclusive<usize> = 13..=23;
/// Centre of an iris and four points around it.
const IRIS_POINTS: usize = 5;
/// Points of an eye's outline from corner to corner.
const LID_STEPS: usize = 8;

impl Side {
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Right => 0,
            Self::Left => 1,
        }
    }

    pub(crate) fn eye(self) -> &'static [usize; 16] {
        match self {
            Self::Right => &RIGHT_EYE,
            Self::Left => &LEFT_EYE,
        }
    }

    pub(crate) fn iris(self) -> std::ops::Range<usize> {
        let centre = match self {
            Self::Right => RIGHT_IRIS,
            Self::Left => LEFT_IRIS,
        };
        centre..centre + IRIS_POINTS
    }
}

/// Opposite points of the lids with their share of the way along the eye: upper, lower, share.
pub(crate) fn lid_pairs(side: Side) -> impl Iterator<Item = (usize, usize, f64)> {
    let outline = side.eye();
    (1..LID_STEPS).map(|k| (outline[2 * LID_STEPS - k], outline[k], k as f64 / LID_STEPS as f64))
}

/// Opposite points of the lips with their share of the way along the mouth: upper edges, lower edges (outer, then
/// inner), share.
pub(crate) fn lip_pairs() -> impl Iterator<Item = ([usize; 2], [usize; 2], f64)> {
    (1..10).map(|k| (UPPER_LIP.map(|edge| edge[k]), LOWER_LIP.map(|edge| edge[k]), k as f64 / 10.0))
}

impl Row {
    /// Each point with its share of the way along the row.
    pub(crate) fn points(self) -> Vec<(usize, f64)> {
        let spread = |points: &[usize]| -> Vec<(usize, f64)> {
            let last = points.len().saturating_sub(1).max(1) as f64;
            points.iter().enumerate().map(|(k, point)| (*point, k as f64 / last)).collect()
        };
        let inside = |points: &[usize; 11]| spread(points)[1..10].to_vec();
        match self {
            Self::UpperLid(side) => lid_pairs(side).map(|(upper, _, along)| (upper, along)).collect(),
            Self::LowerLid(side) => lid_pairs(side).map(|(_, lower, along)| (lower, along)).collect(),
            Self::Iris(side) => side.iris().map(|point| (point, 0.5)).collect(),
            Self::Brow(side) => {
                let rows = if side == Side::Right { RIGHT_BROW } else { LEFT_BROW };
                rows.iter().flat_map(|row| spread(row)).collect()
            }
            Self::UpperLip => UPPER_LIP.iter().flat_map(|edge| spread(edge)).collect(),
            Self::LowerLip => LOWER_LIP.iter().flat_map(inside).collect(),
            Self::UpperLipRim => inside(&UPPER_LIP[0]),
            Self::LowerLipRim => inside(&LOWER_LIP[0]),
            // The outline goes round clockwise in the picture: from the person's left to the right.
            Self::Chin => spread(&FACE_OVAL[CHIN]).into_iter().map(|(point, along)| (point, 1.0 - along)).collect(),
        }
    }
}

/// Every point of the lips.
pub(crate) fn mouth_points() -> impl Iterator<Item = usize> {
    [Row::UpperLip, Row::LowerLip].into_iter().flat_map(Row::points).map(|(point, _)| point)
}

/// Every point of both eyes: outlines and irises.
pub(crate) fn eye_points() -> impl Iterator<Item = usize> {
    SIDES.into_iter().flat_map(|side| side.eye().iter().copied().chain(side.iris()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::draw::contours::lips;

    #[test]
    fn the_lips_are_the_drawn_lips_and_each_point_comes_once() {
        let ours: Vec<usize> = mouth_points().collect();
        let unique: BTreeSet<usize> = ours.iter().copied().collect();
        assert_eq!(unique.len(), ours.len());
        assert_eq!(unique, lips().collect::<BTreeSet<_>>());
    }

    #[test]
    fn pairs_of_lids_lie_over_each_other() {
        let pairs: Vec<_> = lid_pairs(Side::Right).collect();
        assert_eq!(pairs.len(), 7);
        assert!(pairs.contains(&(159, 145, 0.5)) && lid_pairs(Side::Left).any(|pair| pair == (386, 374, 0.5)));
        assert!(lip_pairs().any(|(upper, lower, along)| (upper, lower, along) == ([0, 13], [17, 14], 0.5)));
    }

    #[test]
    fn the_chin_is_symmetric_about_its_tip() {
        let chin = Row::Chin.points();
        assert_eq!(chin[chin.len() / 2], (152, 0.5));
    }
}
