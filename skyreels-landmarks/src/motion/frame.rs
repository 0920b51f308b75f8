//! One frame of a motion.

use super::edit::PoseOffset;
use super::flame::{EYE_POINTS, FlameFrame};
use super::proportions::Openness;
use super::rotation;
use crate::{BLENDSHAPES, LANDMARKS};

/// Where a frame's motion comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A face was seen.
    Seen,
    /// No face before the first or after the last seen one: its motion is held.
    Held,
    /// No face between two seen ones: their motions are blended.
    Interpolated,
}

/// Openings that every portrait shall show, whatever its own and the driver's are: gap over width.
///
/// Written by the controls; `None` leaves the opening to the driven motion.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Apertures {
    /// Lid gap over eye width of the right and the left eye.
    pub eyes: Option<[f32; 2]>,
    /// Gap between the inner lips over mouth width.
    pub mouth: Option<f32>,
}

/// Motion of one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionFrame {
    /// Where it comes from.
    pub state: State,
    /// Rotation of the head as a unit quaternion `w, x, y, z`; the identity faces the camera.
    pub rotation: [f32; 4],
    /// Place of the head's origin seen from the camera, in centimetres: right, up, backwards.
    pub translation: [f32; 3],
    /// Displacement of each of the 478 points from the reference, the first seen frame, in the canonical head's
    /// own frame, in centimetres: x to the person's left, y up, z out of the face. Irises included.
    pub expression: Vec<[f32; 3]>,
    /// Expression scores in 0..1, named by [`BLENDSHAPE_NAMES`](crate::BLENDSHAPE_NAMES).
    pub blendshapes: [f32; BLENDSHAPES],
    /// How far eyes and mouth are open.
    pub openness: Openness,
    /// Openings that the portrait shall show.
    pub apertures: Apertures,
    /// FLAME coefficients, in every frame of a motion or in none.
    pub flame: Option<Box<FlameFrame>>,
}

impl MotionFrame {
    /// Where the head looks, in degrees: the turns of a [`PoseOffset`] from facing the camera.
    pub fn turns(&self) -> PoseOffset {
        let Some(rotation) = rotation::from_stored(self.rotation) else { return PoseOffset::default() };
        // R = Ry(yaw) Rx(-pitch) Rz(-roll)
        let matrix = rotation.to_rotation_matrix();
        let at = |row: usize, column: usize| matrix[(row, column)];
        PoseOffset {
            yaw: at(0, 2).atan2(at(2, 2)).to_degrees(),
            pitch: at(1, 2).clamp(-1.0, 1.0).asin().to_degrees(),
            roll: -at(1, 0).atan2(at(1, 1)).to_degrees(),
        }
    }
}

/// Nothing in a face or between it and the camera is farther than this, in centimetres.
pub(super) const MAX_DISTANCE: f32 = 1e5;
/// No eye or mouth is opened wider than this many times its width.
pub(super) const MAX_APERTURE: f32 = 4.0;

/// Says what is wrong with a frame; brings its rotation to exact unit length.
pub(super) fn check(frame: &mut MotionFrame) -> Result<(), String> {
    verify(frame)?;
    if let Some(rotation) = rotation::from_stored(frame.rotation) {
        frame.rotation = rotation::to_stored(&rotation);
    }
    Ok(())
}

/// Says what is wrong with a frame.
pub(super) fn verify(frame: &MotionFrame) -> Result<(), String> {
    if frame.expression.len() != LANDMARKS {
        return Err(format!("{} points, but the face mesh has {LANDMARKS}", frame.expression.len()));
    }
    if rotation::from_stored(frame.rotation).is_none() {
        return Err(format!("{:?} is no rotation: its length must be 1", frame.rotation));
    }
    let near = |v: &f32| v.abs() <= MAX_DISTANCE;
    let openness = [frame.openness.eyes[0], frame.openness.eyes[1], frame.openness.mouth];
    let apertures = frame.apertures.eyes.iter().flatten().chain(&frame.apertures.mouth);
    for (what, fine) in [
        ("translation", frame.translation.iter().all(near)),
        ("expression", frame.expression.as_flattened().iter().all(near)),
        ("openness", openness.iter().all(near)),
        ("blendshapes", frame.blendshapes.iter().all(|v| (0.0..=1.0).contains(v))),
        ("apertures", { apertures }.all(|v| (0.0..=MAX_APERTURE).contains(v))),
    ] {
        if !fine {
            return Err(format!("the {what} holds a value that is not finite or out of range"));
        }
    }
    frame.flame.as_ref().map_or(Ok(()), |flame| flame.check())
}

/// The motion at a share of the way from `a` to `b`: rotations on the shortest arc, everything else on a line.
///
/// Share 0 gives `a` itself, but for the state.
pub(crate) fn blend(a: &MotionFrame, b: &MotionFrame, share: f32) -> MotionFrame {
    let mix = |a: f32, b: f32| a + (b - a) * share;
    let point = |a: &[f32; 3], b: &[f32; 3]| std::array::from_fn(|axis| mix(a[axis], b[axis]));
    let nearer = if share < 0.5 { a } else { b };
    let eyes = match (a.apertures.eyes, b.apertures.eyes) {
        (Some(a), Some(b)) => Some([0, 1].map(|i| mix(a[i], b[i]))),
        _ => nearer.apertures.eyes,
    };
    let mouth = match (a.apertures.mouth, b.apertures.mouth) {
        (Some(a), Some(b)) => Some(mix(a, b)),
        _ => nearer.apertures.mouth,
    };
    let flame = match (&a.flame, &b.flame) {
        (Some(a), Some(b)) => Some(Box::new(blend_flame(a, b, share))),
        _ => nearer.flame.clone(),
    };
    MotionFrame {
        state: State::Interpolated,
        rotation: rotation::between(a.rotation, b.rotation, f64::from(share)),
        translation: point(&a.translation, &b.translation),
        expression: a.expression.iter().zip(&b.expression).map(|(a, b)| point(a, b)).collect(),
        blendshapes: std::array::from_fn(|i| mix(a.blendshapes[i], b.blendshapes[i])),
        openness: Openness {
            eyes: std::array::from_fn(|i| mix(a.openness.eyes[i], b.openness.eyes[i])),
            mouth: mix(a.openness.mouth, b.openness.mouth),
        },
        apertures: Apertures { eyes, mouth },
        flame,
    }
}

/// Outlines of both eyes on a line.
pub(super) fn mixed_eyes(
    a: &[[[f32; 2]; EYE_POINTS]; 2],
    b: &[[[f32; 2]; EYE_POINTS]; 2],
    share: f32,
) -> [[[f32; 2]; EYE_POINTS]; 2] {
    let mix = |side: usize, i: usize, k: usize| a[side][i][k] + (b[side][i][k] - a[side][i][k]) * share;
    [0, 1].map(|side| std::array::from_fn(|i| [0, 1].map(|k| mix(side, i, k))))
}

/// FLAME's numbers on a line, its rotation on the shortest arc.
pub(super) fn blend_flame(a: &FlameFrame, b: &FlameFrame, share: f32) -> FlameFrame {
    let (from, to) = (a.to_array(), b.to_array());
    let mixed = FlameFrame::from_array(&std::array::from_fn(|i| from[i] + (to[i] - from[i]) * share));
    let eyes = match (&a.eyes, &b.eyes) {
        (Some(a), Some(b)) => Some(mixed_eyes(a, b, share)),
        (one, other) => if share < 0.5 { one } else { other }.to_owned(),
    };
    FlameFrame { rotation: rotation::between_vectors(a.rotation, b.rotation, f64::from(share)), eyes, ..mixed }
}
