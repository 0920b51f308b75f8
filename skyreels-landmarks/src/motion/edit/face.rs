//! Controls of face and pose, frame by frame and relative to the rest.

use std::collections::BTreeSet;

use nalgebra::{Unit, UnitQuaternion, Vector3};

use super::{Aperture, Neutral, PoseOffset, Region, SmoothingWeights};
use crate::motion::anatomy::{eye_points, mouth_points};
use crate::motion::frame::{Apertures, MAX_APERTURE, blend, mixed_eyes};
use crate::motion::{Openness, rotation, sliders};
use crate::{BLENDSHAPE_NAMES, Error, FlameFrame, Motion, MotionFrame, Result};

/// A running mean forwards and one back over its result.
pub(super) fn smooth(motion: &mut Motion, weights: &SmoothingWeights) {
    if *weights == SmoothingWeights::default() {
        return;
    }
    let frames = &mut motion.frames;
    for i in 1..frames.len() {
        frames[i] = mean(&frames[i - 1], &frames[i], weights);
    }
    for i in (1..frames.len()).rev() {
        frames[i - 1] = mean(&frames[i], &frames[i - 1], weights);
    }
}

/// The weighted mean of the last mean and the newest frame.
fn mean(last: &MotionFrame, newest: &MotionFrame, weights: &SmoothingWeights) -> MotionFrame {
    let parted = |weight: f64| if weight == 1.0 { newest.clone() } else { blend(last, newest, weight as f32) };
    let (face, pose) = (parted(weights.expression), parted(weights.pose));
    let flame = face.flame.map(|mut flame| {
        if let Some(pose) = &pose.flame {
            (flame.rotation, flame.camera) = (pose.rotation, pose.camera);
        }
        flame
    });
    MotionFrame { state: newest.state, rotation: pose.rotation, translation: pose.translation, flame, ..face }
}

/// Takes another frame's expression as the one that the portrait shows.
pub(super) fn choose_rest(motion: &mut Motion, neutral: Neutral) -> Result<()> {
    let index = match neutral {
        Neutral::Keep => return Ok(()),
        Neutral::MostNeutral => motion.most_neutral(),
        Neutral::Frame(index) => index,
    };
    let count = motion.frames.len();
    let missing = || Error::invalid("neutral frame", format!("frame {index} of {count} frames"));
    let face = motion.frames.get(index).ok_or_else(missing)?.clone();
    let rest = motion.rest();
    let rest = MotionFrame {
        rotation: rest.rotation,
        translation: rest.translation,
        flame: face.flame.clone().map(|mut flame| {
            if let Some(own) = &rest.flame {
                (flame.rotation, flame.camera) = (own.rotation, own.camera);
            }
            flame
        }),
        ..face
    };
    motion.rest = Some(Box::new(rest));
    Ok(())
}

/// Fixes the rest, so that it does not follow what is done to the first frame.
fn fixed_rest(motion: &mut Motion) -> MotionFrame {
    let rest = motion.rest().clone();
    motion.rest = Some(Box::new(rest.clone()));
    rest
}

/// Holds at rest what is not chosen.
pub(super) fn hold_regions(motion: &mut Motion, regions: &[Region]) {
    if regions.contains(&Region::All) {
        return;
    }
    let rest = fixed_rest(motion);
    let chosen = |region| regions.contains(&region);
    let whole_face = chosen(Region::Expression);
    let (eyes, lips) = (whole_face || chosen(Region::Eyes), whole_face || chosen(Region::Lips));
    let mut points: BTreeSet<usize> = BTreeSet::new();
    points.extend(eye_points().filter(|_| eyes));
    points.extend(mouth_points().filter(|_| lips));
    let moves = |name: &str| {
        whole_face
            || (eyes && name.starts_with("eye"))
            || (lips && (name.starts_with("mouth") || name.starts_with("jaw")))
    };
    for frame in &mut motion.frames {
        if !chosen(Region::Pose) {
            (frame.rotation, frame.translation) = (rest.rotation, rest.translation);
        }
        if !whole_face {
            for (index, (point, held)) in frame.expression.iter_mut().zip(&rest.expression).enumerate() {
                if !points.contains(&index) {
                    *point = *held;
                }
            }
        }
        for ((score, held), name) in frame.blendshapes.iter_mut().zip(rest.blendshapes).zip(BLENDSHAPE_NAMES) {
            if !moves(name) {
                *score = held;
            }
        }
        if !eyes {
            (frame.openness.eyes, frame.apertures.eyes) = (rest.openness.eyes, rest.apertures.eyes);
        }
        if !lips {
            (frame.openness.mouth, frame.apertures.mouth) = (rest.openness.mouth, rest.apertures.mouth);
        }
        if let (Some(flame), Some(held)) = (&mut frame.flame, &rest.flame) {
            if !chosen(Region::Pose) {
                (flame.rotation, flame.camera) = (held.rotation, held.camera);
            }
            if !eyes {
                (flame.eyelids, flame.eye_pose, flame.eyes) = (held.eyelids, held.eye_pose, held.eyes);
            }
            if !lips {
                (flame.expression, flame.jaw) = (held.expression, held.jaw);
            }
        }
    }
}

/// Everything times as far from the rest; rotations along their own axis.
pub(super) fn multiply(motion: &mut Motion, factor: f64) {
    if factor == 1.0 {
        return;
    }
    let rest = fixed_rest(motion);
    let away = |from: f32, to: f32| from + (to - from) * factor as f32;
    for frame in &mut motion.frames {
        frame.rotation = rotation::extrapolated(rest.rotation, frame.rotation, factor);
        (0..3).for_each(|k| frame.translation[k] = away(rest.translation[k], frame.translation[k]));
        for (point, held) in frame.expression.iter_mut().zip(&rest.expression) {
            (0..3).for_each(|k| point[k] = away(held[k], point[k]));
        }
        for (score, held) in frame.blendshapes.iter_mut().zip(rest.blendshapes) {
            *score = away(held, *score).clamp(0.0, 1.0);
        }
        let open = |held: f32, now: f32| away(held, now).max(0.0);
        frame.openness = Openness {
            eyes: [0, 1].map(|i| open(rest.openness.eyes[i], frame.openness.eyes[i])),
            mouth: open(rest.openness.mouth, frame.openness.mouth),
        };
        if let (Some(flame), Some(held)) = (&mut frame.flame, &rest.flame) {
            multiply_flame(flame, held, factor);
        }
    }
}

fn multiply_flame(flame: &mut FlameFrame, rest: &FlameFrame, factor: f64) {
    let away = |now: &mut [f32], held: &[f32]| {
        now.iter_mut().zip(held).for_each(|(now, held)| *now = held + (*now - held) * factor as f32);
    };
    away(&mut flame.expression, &rest.expression);
    away(&mut flame.jaw, &rest.jaw);
    away(&mut flame.eyelids, &rest.eyelids);
    away(&mut flame.eye_pose, &rest.eye_pose);
    away(&mut flame.camera, &rest.camera);
    if let (Some(eyes), Some(held)) = (&mut flame.eyes, &rest.eyes) {
        *eyes = mixed_eyes(held, eyes, factor as f32);
    }
    // FLAME's jaw does not open backwards, and its lids only close.
    flame.jaw[0] = flame.jaw[0].max(0.0);
    flame.eyelids = flame.eyelids.map(|lid| lid.clamp(0.0, 1.0));
    let [held, now] = [rest.rotation, flame.rotation].map(rotation::from_vector);
    flame.rotation = rotation::to_vector(&rotation::along(&held, &now, factor));
}

pub(super) fn slide(motion: &mut Motion, sliders: &[(&str, f64)]) {
    if sliders.iter().all(|(_, value)| *value == 0.0) {
        return;
    }
    fixed_rest(motion);
    let sizes = motion.proportions;
    motion.frames.iter_mut().for_each(|frame| sliders::slide(frame, sliders, &sizes));
}

/// Turns every head about its own axes: first left, then up, then towards the shoulder.
pub(super) fn turn(motion: &mut Motion, offset: &PoseOffset) {
    if *offset == PoseOffset::default() {
        return;
    }
    fixed_rest(motion);
    // x points to the person's left, y up, z out of the face: turning up and towards the left shoulder are negative.
    let axis = |axis: Unit<Vector3<f64>>, degrees: f64| UnitQuaternion::from_axis_angle(&axis, degrees.to_radians());
    let turn = axis(Vector3::y_axis(), offset.yaw)
        * axis(Vector3::x_axis(), -offset.pitch)
        * axis(Vector3::z_axis(), -offset.roll);
    for frame in &mut motion.frames {
        if let Some(rotation) = rotation::from_stored(frame.rotation) {
            frame.rotation = rotation::to_stored(&(rotation * turn));
        }
        if let Some(flame) = &mut frame.flame {
            flame.rotation = rotation::to_vector(&(rotation::from_vector(flame.rotation) * turn));
        }
    }
}

/// Writes down how far eyes and lips shall be open.
pub(super) fn open(motion: &mut Motion, eyes: Option<Aperture>, lips: Option<Aperture>) {
    let sizes = motion.proportions;
    let share = |gap: f32, width: f32| if width > 0.0 { (gap / width).clamp(0.0, MAX_APERTURE) } else { 0.0 };
    for frame in &mut motion.frames {
        let Openness { eyes: gaps, mouth } = frame.openness;
        let eyes = eyes.map(|eyes| match eyes {
            Aperture::Driver => [0, 1].map(|i| share(gaps[i], sizes.eye_width[i])),
            Aperture::Ratio(ratio) => [ratio as f32; 2],
        });
        let lips = lips.map(|lips| match lips {
            Aperture::Driver => share(mouth, sizes.mouth_width),
            Aperture::Ratio(ratio) => ratio as f32,
        });
        let own = frame.apertures;
        frame.apertures = Apertures { eyes: eyes.or(own.eyes), mouth: lips.or(own.mouth) };
    }
}
