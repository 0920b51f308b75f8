//! Opening eyes and lips of the portrait as far as a motion asks for.

use super::PortraitFace;
use crate::motion::anatomy::{SIDES, Side, lid_pairs, lip_pairs};
use crate::motion::sliders::{UPPER_LID_PART, UPPER_LIP_PART, close_lids, close_lips};
use crate::{Apertures, Openness};

/// Opening goes by height alone while a gap is a distance in space, so it takes a few steps to meet it.
const STEPS: usize = 6;
/// Centimetres that nobody sees.
const CLOSE_ENOUGH: f64 = 1e-6;

/// Changes the displacement of lids and lips, and of nothing else, until their gaps are what is asked for.
pub(super) fn meet(portrait: &PortraitFace, moved: &mut [[f64; 3]], apertures: &Apertures) {
    let sizes = portrait.proportions();
    if let Some(eyes) = apertures.eyes {
        for side in SIDES {
            let i = side.index();
            meet_eye(portrait, moved, side, f64::from(eyes[i] * sizes.eye_width[i]));
        }
    }
    if let Some(mouth) = apertures.mouth {
        meet_mouth(portrait, moved, f64::from(mouth * sizes.mouth_width));
    }
}

/// Gaps of the displaced portrait; less than 0 where the upper edge has passed the lower one.
fn gaps(portrait: &PortraitFace, moved: &[[f64; 3]]) -> Openness {
    let points: Vec<[f32; 3]> = portrait
        .head()
        .iter()
        .zip(moved)
        .map(|(at, by)| std::array::from_fn(|axis| (f64::from(at[axis]) + by[axis]) as f32))
        .collect();
    Openness::signed(&points)
}

fn meet_eye(portrait: &PortraitFace, moved: &mut [[f64; 3]], side: Side, target: f64) {
    for _ in 0..STEPS {
        let gap = f64::from(gaps(portrait, moved).eyes[side.index()]);
        if (gap - target).abs() < CLOSE_ENOUGH {
            return;
        }
        if gap > 0.0 && target < gap {
            // All pairs by the same share: lids that meet do so everywhere, whatever their shape.
            for (upper, lower, _) in lid_pairs(side) {
                let apart = between(portrait, moved, upper, lower).map(|way| way * (1.0 - target / gap));
                (0..3).for_each(|axis| moved[upper][axis] -= UPPER_LID_PART * apart[axis]);
                (0..3).for_each(|axis| moved[lower][axis] += (1.0 - UPPER_LID_PART) * apart[axis]);
            }
        } else {
            close_lids(moved, side, gap - target, UPPER_LID_PART);
        }
    }
}

fn meet_mouth(portrait: &PortraitFace, moved: &mut [[f64; 3]], target: f64) {
    for _ in 0..STEPS {
        let gap = f64::from(gaps(portrait, moved).mouth);
        if (gap - target).abs() < CLOSE_ENOUGH {
            return;
        }
        if gap > 0.0 && target < gap {
            for (upper, lower, _) in lip_pairs() {
                // The outer edges go with the inner ones, so that the lips keep their thickness.
                let apart = between(portrait, moved, upper[1], lower[1]).map(|way| way * (1.0 - target / gap));
                for axis in 0..3 {
                    upper.iter().for_each(|point| moved[*point][axis] -= UPPER_LIP_PART * apart[axis]);
                    lower.iter().for_each(|point| moved[*point][axis] += (1.0 - UPPER_LIP_PART) * apart[axis]);
                }
            }
        } else {
            close_lips(moved, gap - target);
        }
    }
}

/// The way from the lower to the upper point.
fn between(portrait: &PortraitFace, moved: &[[f64; 3]], upper: usize, lower: usize) -> [f64; 3] {
    let head = portrait.head();
    let at = |point: usize, axis: usize| f64::from(head[point][axis]) + moved[point][axis];
    [0, 1, 2].map(|axis| at(upper, axis) - at(lower, axis))
}
