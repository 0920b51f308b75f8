//! One face of one frame as FLAME's coefficients.

use crate::draw::contours::{LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS};
use crate::{Error, FlameFrame, LANDMARKS, Result};

/// Points of an eye's contour.
const CONTOUR: usize = RIGHT_EYE.len();

/// An eye as the tracker saw it, in pixels of the tracked picture: the iris is carried over by the map from this contour
/// to the retargeted one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EyePoints {
    /// The contour in the order of [`RIGHT_EYE`] or [`LEFT_EYE`].
    pub contour: [[f32; 2]; CONTOUR],
    /// Centre of the iris.
    pub iris: [f32; 2],
}

/// The contour, then the iris.
impl From<[[f32; 2]; CONTOUR + 1]> for EyePoints {
    fn from(points: [[f32; 2]; CONTOUR + 1]) -> Self {
        Self { contour: std::array::from_fn(|i| points[i]), iris: points[CONTOUR] }
    }
}

impl From<EyePoints> for [[f32; 2]; CONTOUR + 1] {
    fn from(eye: EyePoints) -> Self {
        std::array::from_fn(|i| eye.contour.get(i).copied().unwrap_or(eye.iris))
    }
}

/// What moves a head: pose, camera, shape and expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaceCoefficients {
    /// Rotation of the head as a rotation vector in radians.
    pub rotation: [f32; 3],
    /// Camera without perspective: scale, then shift right and up in units of the head.
    pub camera: [f32; 3],
    /// Shape coefficients, up to 300. They say who it is: only the portrait's are used, so a driver's stay empty.
    pub shape: Vec<f32>,
    /// Expression coefficients, up to 50.
    pub expression: Vec<f32>,
    /// Rotation vector of the jaw in radians.
    pub jaw: [f32; 3],
    /// How far the left and the right eyelid are closed, 0 to 1.
    pub eyelids: [f32; 2],
    /// Rotation vectors of the left and the right eyeball in radians. They move eyeball vertices alone, which no drawing
    /// shows.
    pub eye_pose: [f32; 6],
    /// The right and the left eye in the picture; `None` leaves the pupils out of the drawing.
    pub eyes: Option<[EyePoints; 2]>,
}

/// What a motion holds of a frame; it has no shape.
impl From<&FlameFrame> for FaceCoefficients {
    fn from(frame: &FlameFrame) -> Self {
        Self {
            rotation: frame.rotation,
            camera: frame.camera,
            shape: Vec::new(),
            expression: frame.expression.to_vec(),
            jaw: frame.jaw,
            eyelids: frame.eyelids,
            eye_pose: frame.eye_pose,
            eyes: frame.eyes.map(|eyes| eyes.map(EyePoints::from)),
        }
    }
}

/// What a motion keeps of a face: all but the shape, and the expression's first 50 coefficients.
impl From<&FaceCoefficients> for FlameFrame {
    fn from(face: &FaceCoefficients) -> Self {
        Self {
            expression: std::array::from_fn(|i| face.expression.get(i).copied().unwrap_or(0.0)),
            jaw: face.jaw,
            eyelids: face.eyelids,
            eye_pose: face.eye_pose,
            rotation: face.rotation,
            camera: face.camera,
            eyes: face.eyes.map(|eyes| eyes.map(Into::into)),
        }
    }
}

impl FaceCoefficients {
    /// The coefficients at a share of the way from `a` to `b`: for frames in which no face was seen.
    ///
    /// Rotation vectors are mixed as numbers, as the original smooths them.
    #[must_use]
    pub fn between(a: &Self, b: &Self, share: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        let all = |a: &[f32], b: &[f32]| -> Vec<f32> {
            let at = |values: &[f32], i: usize| values.get(i).copied().unwrap_or(0.0);
            (0..a.len().max(b.len())).map(|i| mix(at(a, i), at(b, i))).collect()
        };
        let eye = |a: &EyePoints, b: &EyePoints| EyePoints {
            contour: std::array::from_fn(|i| [0, 1].map(|k| mix(a.contour[i][k], b.contour[i][k]))),
            iris: [0, 1].map(|k| mix(a.iris[k], b.iris[k])),
        };
        Self {
            rotation: std::array::from_fn(|i| mix(a.rotation[i], b.rotation[i])),
            camera: std::array::from_fn(|i| mix(a.camera[i], b.camera[i])),
            shape: all(&a.shape, &b.shape),
            expression: all(&a.expression, &b.expression),
            jaw: std::array::from_fn(|i| mix(a.jaw[i], b.jaw[i])),
            eyelids: std::array::from_fn(|i| mix(a.eyelids[i], b.eyelids[i])),
            eye_pose: std::array::from_fn(|i| mix(a.eye_pose[i], b.eye_pose[i])),
            eyes: match (&a.eyes, &b.eyes) {
                (Some(a), Some(b)) => Some(std::array::from_fn(|i| eye(&a[i], &b[i]))),
                (one, other) => *if share < 0.5 { one } else { other },
            },
        }
    }

    /// The same without the shape, which says who it is: what a driver's motion keeps.
    #[must_use]
    pub fn without_identity(self) -> Self {
        Self { shape: Vec::new(), ..self }
    }

    /// Says which quantity is not made of finite numbers.
    pub(crate) fn check(&self) -> Result<()> {
        let fine = |values: &[f32]| values.iter().all(|v| v.is_finite());
        let wrong = [
            ("rotation", fine(&self.rotation)),
            ("camera", fine(&self.camera)),
            ("shape", fine(&self.shape)),
            ("expression", fine(&self.expression)),
            ("jaw", fine(&self.jaw)),
            ("eyelids", fine(&self.eyelids)),
            ("eye pose", fine(&self.eye_pose)),
        ];
        match wrong.into_iter().find(|(_, fine)| !fine) {
            Some((what, _)) => Err(Error::invalid("face coefficients", format!("the {what} is not finite"))),
            None => Ok(()),
        }
    }
}

impl EyePoints {
    /// The right and the left eye among MediaPipe's points, given in pixels; `None` when there are not 478.
    pub fn of(points: &[[f64; 2]]) -> Option<[Self; 2]> {
        let eye = |contour: [usize; CONTOUR], iris: usize| Self {
            contour: contour.map(|i| points[i].map(|v| v as f32)),
            iris: points[iris].map(|v| v as f32),
        };
        (points.len() == LANDMARKS).then(|| [eye(RIGHT_EYE, RIGHT_IRIS), eye(LEFT_EYE, LEFT_IRIS)])
    }

    /// Both eyes in their places of the mesh; the other points are nowhere.
    pub(crate) fn on_mesh(eyes: &[Self; 2]) -> Vec<[f64; 2]> {
        let mut face = vec![[f64::NAN; 2]; LANDMARKS];
        for (eye, (contour, iris)) in eyes.iter().zip([(RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)]) {
            for (place, point) in contour.into_iter().zip(eye.contour) {
                face[place] = point.map(f64::from);
            }
            face[iris] = eye.iris.map(f64::from);
        }
        face
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eyes_come_back_from_the_mesh_as_they_were() {
        let points: Vec<[f64; 2]> = (0..LANDMARKS).map(|i| [i as f64, 2.0 * i as f64]).collect();
        let eyes = EyePoints::of(&points).unwrap();
        assert_eq!(EyePoints::of(&EyePoints::on_mesh(&eyes)).unwrap(), eyes);
        assert_eq!(eyes.map(|eye| EyePoints::from(<[[f32; 2]; 17]>::from(eye))), eyes);
        assert!(EyePoints::of(&points[1..]).is_none());
    }

    #[test]
    fn both_ends_of_the_way_are_reached() {
        let a = FaceCoefficients { expression: vec![1.0, 2.0], eyelids: [0.0, 1.0], ..Default::default() };
        let b = FaceCoefficients { expression: vec![3.0, 0.0], jaw: [0.5, 0.0, 0.0], ..Default::default() };
        assert_eq!(FaceCoefficients::between(&a, &b, 0.0), a);
        assert_eq!(FaceCoefficients::between(&a, &b, 1.0), b);
        assert_eq!(FaceCoefficients::between(&a, &b, 0.5).expression, [2.0, 1.0]);
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let bad = FaceCoefficients { jaw: [0.0, f32::NAN, 0.0], ..Default::default() };
        assert!(bad.check().unwrap_err().to_string().contains("jaw"));
    }
}
