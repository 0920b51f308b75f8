//! What FLAME adds to a frame of a motion: coefficients that a FLAME retargeter reads.

/// Expression coefficients of SMIRK's FLAME.
pub const FLAME_EXPRESSION: usize = 50;
/// Shape coefficients of SMIRK's FLAME: who somebody is.
pub const FLAME_SHAPE: usize = 300;
/// Points of an eye in the picture: its contour in drawing order ([`RIGHT_EYE`](crate::draw::contours::RIGHT_EYE)),
/// then the centre of the iris.
pub const EYE_POINTS: usize = 17;
/// No coefficient of a face comes near this.
const MAX_COEFFICIENT: f32 = 1e3;
/// No pixel of a picture lies farther out than this.
const MAX_PIXEL: f32 = 1e5;

/// FLAME coefficients of one frame, as SMIRK's encoders give them; identity is not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct FlameFrame {
    /// Expression coefficients.
    pub expression: [f32; FLAME_EXPRESSION],
    /// Rotation vector of the jaw in radians.
    pub jaw: [f32; 3],
    /// Closing of the left and the right eyelid, 0..1 (the order of the mesh).
    pub eyelids: [f32; 2],
    /// Rotation vectors of the left and the right eye in radians.
    pub eye_pose: [f32; 6],
    /// Rotation vector of the whole head in radians.
    pub rotation: [f32; 3],
    /// The camera: scale, then shift right and up.
    pub camera: [f32; 3],
    /// The right and the left eye as the tracker saw them, in pixels of the driver's picture: a FLAME retargeter finds
    /// the pupils by the map between these contours and those it draws. In every frame of a motion or in none.
    pub eyes: Option<[[[f32; 2]; EYE_POINTS]; 2]>,
}

impl Default for FlameFrame {
    fn default() -> Self {
        Self {
            expression: [0.0; FLAME_EXPRESSION],
            jaw: [0.0; 3],
            eyelids: [0.0; 2],
            eye_pose: [0.0; 6],
            rotation: [0.0; 3],
            camera: [0.0; 3],
            eyes: None,
        }
    }
}

/// Numbers of one frame: all coefficients in order.
pub(super) const FLAME_NUMBERS: usize = FLAME_EXPRESSION + 3 + 2 + 6 + 3 + 3;
/// Name and size of each group in a motion file, in the order of the numbers.
pub(super) const GROUPS: [(&str, usize); 6] =
    [("expression", FLAME_EXPRESSION), ("jaw", 3), ("eyelids", 2), ("eye_pose", 6), ("rotation", 3), ("camera", 3)];

impl FlameFrame {
    /// All coefficients in the order of [`GROUPS`].
    pub(super) fn to_array(&self) -> [f32; FLAME_NUMBERS] {
        let groups: [&[f32]; 6] =
            [&self.expression, &self.jaw, &self.eyelids, &self.eye_pose, &self.rotation, &self.camera];
        let mut numbers = [0.0; FLAME_NUMBERS];
        numbers.iter_mut().zip(groups.concat()).for_each(|(to, from)| *to = from);
        numbers
    }

    pub(super) fn from_array(numbers: &[f32; FLAME_NUMBERS]) -> Self {
        let mut frame = Self::default();
        let mut rest = numbers.as_slice();
        let groups: [&mut [f32]; 6] = [
            &mut frame.expression,
            &mut frame.jaw,
            &mut frame.eyelids,
            &mut frame.eye_pose,
            &mut frame.rotation,
            &mut frame.camera,
        ];
        for group in groups {
            let (head, tail) = rest.split_at(group.len());
            group.copy_from_slice(head);
            rest = tail;
        }
        frame
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let eyes = self.eyes.iter().flatten().flatten().flatten();
        if !self.to_array().iter().all(|v| v.abs() <= MAX_COEFFICIENT) {
            return Err("a FLAME coefficient is not finite or out of range".into());
        }
        if !{ eyes }.all(|v| v.abs() <= MAX_PIXEL) {
            return Err("a point of FLAME's eyes is not finite or out of range".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_out_and_come_back_in_the_order_of_the_groups() {
        let numbers: [f32; FLAME_NUMBERS] = std::array::from_fn(|i| i as f32);
        let frame = FlameFrame::from_array(&numbers);
        assert_eq!(frame.to_array(), numbers);
        assert_eq!((frame.jaw[0], frame.camera[2]), (50.0, 66.0));
        assert_eq!(GROUPS.iter().map(|(_, size)| size).sum::<usize>(), FLAME_NUMBERS);
    }
}
