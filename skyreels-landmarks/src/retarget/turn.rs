//! How far a portrait's head may turn away from the camera.

use nalgebra::{UnitQuaternion, Vector3};

/// Where a head looks in its own frame: out of the face, towards a camera that looks along -z.
const FORWARD: Vector3<f64> = Vector3::new(0.0, 0.0, 1.0);
/// Below this share of the limit nothing changes; above it the turn bends softly towards the limit.
const FREE_SHARE: f64 = 0.75;

/// Angle between where the head looks and the camera, in radians.
pub(super) fn turn(rotation: &UnitQuaternion<f64>) -> f64 {
    (rotation * FORWARD).angle(&FORWARD)
}

/// Turns the head back on the shortest way until it looks at most `limit` radians past the camera.
///
/// `own` is the turn that the portrait itself shows, which is always allowed. Continuous, and the identity for turns below
/// both `own` and three quarters of the limit.
pub(super) fn limited(rotation: UnitQuaternion<f64>, own: f64, limit: f64) -> UnitQuaternion<f64> {
    let free = own.max(FREE_SHARE * limit);
    let span = (limit - free).max((1.0 - FREE_SHARE) * limit / 2.0);
    let angle = turn(&rotation);
    if angle <= free {
        return rotation;
    }
    let allowed = free + span * ((angle - free) / span).tanh();
    let looks = rotation * FORWARD;
    // Looking straight away from the camera has no shortest way back; any upright one will do.
    let axis = nalgebra::Unit::try_new(looks.cross(&FORWARD), f64::EPSILON).unwrap_or(Vector3::y_axis());
    UnitQuaternion::from_axis_angle(&axis, angle - allowed) * rotation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn small_turns_stay_and_large_ones_stop(axis in prop::array::uniform3(-3.0f64..3.0), own in 0.0f64..1.2, limit in 0.5f64..1.5) {
            let rotation = UnitQuaternion::from_scaled_axis(Vector3::from(axis));
            let bent = limited(rotation, own, limit);
            let free = own.max(FREE_SHARE * limit);
            if turn(&rotation) <= free {
                prop_assert_eq!(bent, rotation);
            } else {
                prop_assert!(turn(&bent) >= free - 1e-6);
                prop_assert!(turn(&bent) <= limit.max(own + (1.0 - FREE_SHARE) * limit / 2.0) + 1e-6);
                prop_assert!(turn(&bent) <= turn(&rotation) + 1e-6);
            }
            prop_assert!((bent.norm() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn nothing_jumps(axis in prop::array::uniform3(-1.5f64..1.5), step in prop::array::uniform3(-1e-4f64..1e-4)) {
            let [a, b] = [[0.0; 3], step].map(|step| Vector3::from(axis) + Vector3::from(step));
            let [a, b] = [a, b].map(|v| limited(UnitQuaternion::from_scaled_axis(v), 0.2, 1.2));
            // Near a head that looks straight back the way back is not unique.
            prop_assume!(turn(&a) < 1.15);
            prop_assert!(a.angle_to(&b) < 1e-2);
        }
    }
}
