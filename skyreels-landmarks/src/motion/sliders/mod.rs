//! Expression sliders: what a named expression does to the mesh.
//!
//! The directions are rules of our own, no copy of anybody's blend shapes: which rows of points move where, as shares
//! of the mouth's or the eye's width, so that they fit any face. Their lengths were set by looking at how MediaPipe's
//! own points move with its scores over some five hundred frames of four talking faces (least squares over all scores
//! at once) and rounded. They cover what the guide clip draws: lids, irises, brows and lips, and the outline of the
//! chin. Scores that show elsewhere (cheeks, nose) have no slider.

mod table;

use super::anatomy::{SIDES, Side, lid_pairs, lip_pairs};
use super::frame::MotionFrame;
use super::proportions::{Openness, Proportions};
use crate::{BLENDSHAPE_NAMES, LANDMARKS};
use table::Effect::{Lids, Lips, Moves};
use table::Profile::Middle;
use table::{Move, SLIDERS, Unit, WIDENING};
pub(crate) use table::{UPPER_LID_PART, UPPER_LIP_PART};

/// Names of all expression sliders, a part of [`BLENDSHAPE_NAMES`].
pub fn slider_names() -> impl Iterator<Item = &'static str> {
    SLIDERS.iter().map(|(name, _)| *name)
}

/// Displacements in centimetres that scores mean on a face of these sizes, lids and lips that come together left aside.
///
/// `scores` names sliders; other names are passed over.
pub(crate) fn displacement<'a>(scores: impl IntoIterator<Item = (&'a str, f64)>, sizes: &Proportions) -> Vec<[f64; 3]> {
    let mut sum = vec![[0.0; 3]; LANDMARKS];
    for (name, value) in scores {
        let Some((_, Moves(moves))) = SLIDERS.iter().find(|(known, _)| *known == name) else { continue };
        for Move(row, profile, unit, way) in *moves {
            let length = match unit {
                Unit::Mouth => sizes.mouth_width,
                Unit::Eye(side) => sizes.eye_width[side.index()],
            };
            for (point, along) in row.points() {
                let by = value * f64::from(length) * profile.weight(along);
                (0..3).for_each(|axis| sum[point][axis] += by * way[axis]);
            }
        }
    }
    sum
}

/// True when there is a slider of this name.
pub(super) fn is_slider(name: &str) -> bool {
    slider_names().any(|known| known == name)
}

/// Adds sliders to a frame: displacement, scores, openings, and of FLAME what has a counterpart there (lids and jaw).
pub(super) fn slide(frame: &mut MotionFrame, sliders: &[(&str, f64)], sizes: &Proportions) {
    let mut moved = displacement(sliders.iter().copied(), sizes);
    // A gaze that takes the lid down, or a lip that is shrugged, stops where the other side is.
    let gaps = shifted(&frame.openness, &moved);
    for side in SIDES {
        close_lids(&mut moved, side, f64::from(gaps.eyes[side.index()]).min(0.0), UPPER_LID_PART);
    }
    close_lips(&mut moved, f64::from(gaps.mouth).min(0.0));
    let mut open = opened(&frame.openness, &moved);
    // Lids and lips come together by a share of what is open after everything else has moved, one slider after the
    // other, so that they never pass through each other.
    for (name, value) in sliders {
        match SLIDERS.iter().find(|(known, _)| known == name) {
            Some((_, Lids(side, share, upper))) => {
                let widen = if *value < 0.0 && *share > 0.0 { WIDENING } else { 1.0 };
                let gap = &mut open.eyes[side.index()];
                let closing = value * share * widen * f64::from(*gap);
                close_lids(&mut moved, *side, closing, *upper);
                *gap -= closing as f32;
            }
            Some((_, Lips)) => close_lips(&mut moved, value * f64::from(open.mouth)),
            _ => {}
        }
    }
    frame.openness = opened(&frame.openness, &moved);
    for (point, by) in frame.expression.iter_mut().zip(&moved) {
        (0..3).for_each(|axis| point[axis] += by[axis] as f32);
    }
    for (name, value) in sliders {
        if let Some(k) = BLENDSHAPE_NAMES.iter().position(|known| known == name) {
            frame.blendshapes[k] = (frame.blendshapes[k] + *value as f32).clamp(0.0, 1.0);
        }
        if let Some(flame) = &mut frame.flame {
            slide_flame(flame, name, *value as f32);
        }
    }
}

/// Jaw angles of FLAME at a slider of 1, in radians.
const JAW_OPEN: f32 = 0.3;
const JAW_ASIDE: f32 = 0.1;

fn slide_flame(flame: &mut super::FlameFrame, name: &str, value: f32) {
    let close = |lid: &mut f32| *lid = (*lid + value * (1.0 - *lid)).clamp(0.0, 1.0);
    match name {
        "eyeBlinkLeft" => close(&mut flame.eyelids[0]),
        "eyeBlinkRight" => close(&mut flame.eyelids[1]),
        "jawOpen" => flame.jaw[0] = (flame.jaw[0] + JAW_OPEN * value).max(0.0),
        "jawLeft" => flame.jaw[1] += JAW_ASIDE * value,
        "jawRight" => flame.jaw[1] -= JAW_ASIDE * value,
        _ => {}
    }
}

/// Mean of the middle profile at the three pairs of points by which openings are measured.
fn lid_profile_mean() -> f64 {
    [3.0, 4.0, 5.0].map(|k: f64| Middle.weight(k / 8.0)).iter().sum::<f64>() / 3.0
}

/// Brings the lids together by `gap` centimetres in their middle; less than 0 opens them.
pub(crate) fn close_lids(moved: &mut [[f64; 3]], side: Side, gap: f64, upper_part: f64) {
    let gap = gap / lid_profile_mean();
    for (upper, lower, along) in lid_pairs(side) {
        let by = gap * Middle.weight(along);
        moved[upper][1] -= by * upper_part;
        moved[lower][1] += by * (1.0 - upper_part);
    }
}

/// Brings the lips together by `gap` centimetres in their middle; less than 0 opens them.
pub(crate) fn close_lips(moved: &mut [[f64; 3]], gap: f64) {
    for (upper, lower, along) in lip_pairs() {
        let by = gap * Middle.weight(along);
        upper.iter().for_each(|point| moved[*point][1] -= by * UPPER_LIP_PART);
        lower.iter().for_each(|point| moved[*point][1] += by * (1.0 - UPPER_LIP_PART));
    }
}

/// The openings after a displacement: by how far the points move apart up and down, which is all but exact for lids
/// and lips.
fn opened(openness: &Openness, moved: &[[f64; 3]]) -> Openness {
    let gaps = shifted(openness, moved);
    Openness { eyes: gaps.eyes.map(|gap| gap.max(0.0)), mouth: gaps.mouth.max(0.0) }
}

/// The same, less than 0 where edges pass each other.
fn shifted(openness: &Openness, moved: &[[f64; 3]]) -> Openness {
    let eye = |side: Side| {
        let pairs = lid_pairs(side).filter(|(_, _, along)| (0.3..0.7).contains(along));
        let apart = pairs.map(|(upper, lower, _)| moved[upper][1] - moved[lower][1]).sum::<f64>() / 3.0;
        openness.eyes[side.index()] + apart as f32
    };
    let middle = lip_pairs().find(|(_, _, along)| *along == 0.5);
    let apart = middle.map_or(0.0, |(upper, lower, _)| moved[upper[1]][1] - moved[lower[1]][1]);
    Openness { eyes: SIDES.map(eye), mouth: openness.mouth + apart as f32 }
}

#[cfg(test)]
mod tests {
    use super::Side::{Left, Right};
    use super::table::Profile::Half;
    use super::*;

    #[test]
    fn every_slider_is_a_score_of_the_tracker_and_comes_once() {
        let names: std::collections::BTreeSet<_> = slider_names().collect();
        assert_eq!(names.len(), SLIDERS.len());
        assert!(names.iter().all(|name| BLENDSHAPE_NAMES.contains(name)));
        // Not drawn: the neutral score, cheeks and nose.
        assert_eq!(SLIDERS.len(), BLENDSHAPE_NAMES.len() - 6);
    }

    #[test]
    fn left_and_right_sliders_mirror_each_other() {
        let sizes = Proportions { face: [16.0, 17.0, 9.0], eye_width: [2.8; 2], mouth_width: 5.0 };
        let total = |name: &str| -> [f64; 3] {
            let moved = displacement([(name, 1.0)], &sizes);
            [0, 1, 2].map(|axis| moved.iter().map(|by| by[axis]).sum())
        };
        for name in slider_names().filter(|name| name.ends_with("Left")) {
            let other = name.replace("Left", "Right");
            let ([x, y, z], [mx, my, mz]) = (total(name), total(&other));
            assert!((x + mx).abs() < 1e-9 && (y - my).abs() < 1e-9 && (z - mz).abs() < 1e-9, "{name}");
        }
    }

    #[test]
    fn both_halves_together_are_the_whole() {
        for k in 0..=10 {
            let along = f64::from(k) / 10.0;
            assert!((Half(Left).weight(along) + Half(Right).weight(along) - Middle.weight(along)).abs() < 1e-12);
        }
    }
}
