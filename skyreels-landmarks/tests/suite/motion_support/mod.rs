//! What the tests of motions share: portraits and performances made by code, and distances between points.

use skyreels_landmarks::{
    Face, MeshRetargeter, Motion, MotionEdit, PortraitFace, RetargetedFrame, Retargeter, synthetic,
};

pub const SIZE: [u32; 2] = [720, 480];
pub const UPPER_LID: usize = 159;
pub const LOWER_LID: usize = 145;
pub const LIDS: [usize; 14] = [7, 163, 144, 145, 153, 154, 155, 173, 157, 158, 159, 160, 161, 246];
pub const INNER_LIPS: [usize; 2] = [13, 14];
pub const MOUTH_CORNER: usize = 291;
pub const BROW: usize = 105;
pub const NOSE: usize = 4;

pub fn performance(seed: u64) -> Motion {
    synthetic::performance(24, 12.0, seed).unwrap()
}

pub fn face(seed: u64) -> Face {
    synthetic::portrait(SIZE[0], SIZE[1], seed).unwrap().1
}

pub fn portrait(seed: u64) -> PortraitFace {
    PortraitFace::new(&face(seed), SIZE).unwrap()
}

pub fn moved(motion: &Motion, portrait: &PortraitFace) -> Vec<RetargetedFrame> {
    MeshRetargeter { smoothing: 1.0, max_turn: 180.0, ..MeshRetargeter::default() }.retarget(portrait, motion).unwrap()
}

pub fn edited(motion: &Motion, edit: &MotionEdit) -> Motion {
    edit.apply(motion).unwrap()
}

pub fn sliders(values: &[(&str, f64)]) -> MotionEdit {
    let sliders = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    MotionEdit { sliders, ..MotionEdit::default() }
}

pub fn farthest(a: &RetargetedFrame, b: &RetargetedFrame, points: impl IntoIterator<Item = usize>) -> f64 {
    points
        .into_iter()
        .map(|i| (0..3).map(|k| (a.points[i][k] - b.points[i][k]).abs()).fold(0.0, f64::max))
        .fold(0.0, f64::max)
}

/// A gap in pixels.
pub fn gap(frame: &RetargetedFrame, a: usize, b: usize) -> f64 {
    let [p, q] = [frame.points[a], frame.points[b]];
    (720.0 * (p[0] - q[0])).hypot(480.0 * (p[1] - q[1]))
}
