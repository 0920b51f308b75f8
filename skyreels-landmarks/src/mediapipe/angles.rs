//! A head's rotation in the three angles people name.

/// Yaw, pitch and roll of a head in degrees; all zero faces the camera.
///
/// `R = Ry(yaw) Rx(-pitch) Rz(roll)` in the camera's frame (x to the right of the picture, y up, z towards the camera):
/// first the head is tilted, then lifted, then turned. At a pitch of 90 degrees yaw and roll turn about the same axis;
/// roll is 0 there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeadAngles {
    /// -180..180; positive turns the face to the right of the picture, the person's left.
    pub yaw: f32,
    /// -90..90; positive lifts the face.
    pub pitch: f32,
    /// -180..180; positive tilts the head counter-clockwise as the picture shows it, to the person's right shoulder.
    pub roll: f32,
}

/// Sine of the pitch above which yaw and roll cannot be told apart in f32.
const GIMBAL_LOCK: f32 = 0.999_999;

impl HeadAngles {
    /// The angles of a rotation matrix, row-major, head to camera.
    pub fn of(rotation: [[f32; 3]; 3]) -> Self {
        let [first, second, third] = rotation;
        let lift = second[2].clamp(-1.0, 1.0);
        let (yaw, roll) = if lift.abs() < GIMBAL_LOCK {
            (first[2].atan2(third[2]), second[0].atan2(second[1]))
        } else {
            ((-third[0]).atan2(first[0]), 0.0)
        };
        Self { yaw: yaw.to_degrees(), pitch: lift.asin().to_degrees(), roll: roll.to_degrees() }
    }

    /// The rotation matrix of these angles, row-major, head to camera.
    pub fn rotation(&self) -> [[f32; 3]; 3] {
        let [(sy, cy), (sp, cp), (sr, cr)] =
            [self.yaw, -self.pitch, self.roll].map(|angle| f64::from(angle).to_radians().sin_cos());
        [
            [cy * cr + sy * sp * sr, sy * sp * cr - cy * sr, sy * cp],
            [cp * sr, cp * cr, -sp],
            [cy * sp * sr - sy * cr, sy * sr + cy * sp * cr, cy * cp],
        ]
        .map(|row| row.map(|v| v as f32))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where the head's own axes point.
    fn axis(angles: HeadAngles, axis: usize) -> [f32; 3] {
        let rotation = angles.rotation();
        [0, 1, 2].map(|row| rotation[row][axis])
    }

    #[test]
    fn each_angle_turns_the_head_as_its_name_says() {
        let nose = axis(HeadAngles { yaw: 30.0, ..HeadAngles::default() }, 2);
        assert!((nose[0] - 0.5).abs() < 1e-6 && nose[1].abs() < 1e-6, "to the right of the picture");
        let nose = axis(HeadAngles { pitch: 30.0, ..HeadAngles::default() }, 2);
        assert!((nose[1] - 0.5).abs() < 1e-6 && nose[0].abs() < 1e-6, "up");
        let crown = axis(HeadAngles { roll: 30.0, ..HeadAngles::default() }, 1);
        assert!((crown[0] + 0.5).abs() < 1e-6 && crown[2].abs() < 1e-6, "the crown moves to the left of the picture");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn angles_and_rotation_are_inverse(
            yaw in -179.0f32..179.0, pitch in -89.0f32..89.0, roll in -179.0f32..179.0,
        ) {
            let rotation = HeadAngles { yaw, pitch, roll }.rotation();
            let back = HeadAngles::of(rotation);
            for (found, given) in [(back.yaw, yaw), (back.pitch, pitch), (back.roll, roll)] {
                prop_assert!((found - given).abs() < 0.05, "{found} instead of {given}");
            }
            for a in 0..3 {
                for b in 0..3 {
                    let product: f32 = (0..3).map(|k| rotation[k][a] * rotation[k][b]).sum();
                    prop_assert!((product - f32::from(u8::from(a == b))).abs() < 1e-5);
                }
            }
        }

        #[test]
        fn straight_up_and_down_keep_their_rotation(yaw in -170.0f32..170.0, up in any::<bool>()) {
            let angles = HeadAngles { yaw, pitch: if up { 90.0 } else { -90.0 }, roll: 0.0 };
            let again = HeadAngles::of(angles.rotation()).rotation();
            for (a, b) in again.as_flattened().iter().zip(angles.rotation().as_flattened()) {
                prop_assert!((a - b).abs() < 2e-3);
            }
        }
    }
}
